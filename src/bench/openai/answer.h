// What comes back from an OpenAI-compatible server, read for what a benchmark wants of it.
//
// Promise: read_chunk() looks at one event of a stream, read_answer() at a whole answer: whether
// there
//   is output in it, the usage, an error the server tells of. Any text counts as output: content,
//   reasoning, tool calls.
// Errors: kCorrupt: not JSON, or not of that shape.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hangar::bench {

struct AnswerUsage {
  std::int32_t prompt_tokens = 0;
  std::int32_t cached_tokens = 0;
  std::int32_t completion_tokens = 0;
};

struct AnswerPart {
  bool has_output = false;
  bool finished = false;  // a finish_reason was there
  std::optional<AnswerUsage> usage;
  std::optional<std::string> error;
};

Result<AnswerPart> read_chunk(std::string_view json);
Result<AnswerPart> read_answer(std::string_view json);

// The message in an error's body: {"error": {"message": ...}}, {"message": ...}, or its start.
std::string error_message_of(std::string_view body);

}  // namespace hangar::bench
