// Answer: one request run to its end at the terminal.
//
// Promise: run_answer gives each piece of text to on_text as it comes and returns all that came.
//   Ctrl-C (an InterruptScope must stand) or a failing on_text cancels the request; after Ctrl-C
//   the answer so far is returned with `interrupted` set.
// Units: times are microseconds since the request was submitted.
// Errors: what generate() refuses; on_text's error; kInternal where the engine failed.
// Threads: main's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/function_ref.h"
#include "base/result.h"
#include "serve/served_model.h"

namespace hangar {

struct Answer {
  std::string text;
  std::vector<OutputToken> prompt_tokens;  // with echo and log-probabilities
  std::vector<OutputToken> tokens;         // where log-probabilities were asked for
  FinishReason finish = FinishReason::kStop;
  Usage usage;
  std::int64_t first_us = 0;  // first piece of text or token
  std::int64_t total_us = 0;
  bool interrupted = false;

  // Tokens per second; 0 where there were too few to say.
  double prompt_tokens_per_s() const;
  double decode_tokens_per_s() const;
};

Result<Answer> run_answer(ServedModel& model, TextRequest request,
                          FunctionRef<Status(std::string_view)> on_text);

// "stop", "length", "cancelled", ...
std::string_view finish_name(FinishReason reason);

}  // namespace hangar
