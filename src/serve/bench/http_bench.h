// HttpBench: what the HTTP door costs: the real server, routes, JSON, template, tokenizer and pump
// over an engine that answers at once, asked by clients of the same process.
//
// Promise: the front end has one processor core for all its threads and the clients have the
//   others, where there are others. Processor time is split exactly: the clients' threads are
//   measured by themselves, the rest of the process is the front end (the engine's little with it).
// Units: in the names.
// Errors: what the server or the clients could not do.
// Threads: run starts its own and ends them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "serve/chat_templates.h"
#include "text/tokenizer.h"

namespace hangar {

struct HttpBenchOptions {
  std::vector<std::int32_t> connections = {1, 64};  // one run each
  std::int32_t prompt_bytes = 200;
  std::int32_t output_tokens = 16;
  double seconds = 3;
  double warm_up_seconds = 0.5;
  bool pin = true;  // one core for the front end
};

struct HttpBenchResult {
  std::string test;  // "models", "chat", "chat, streamed"
  std::int32_t connections = 0;
  std::uint64_t answers = 0;
  std::uint64_t errors = 0;
  std::string first_error;
  double seconds = 0;
  double front_end_cpu_s = 0;
  double clients_cpu_s = 0;
  double p50_ms = 0, p99_ms = 0, max_ms = 0;

  double answers_per_s() const { return seconds > 0 ? static_cast<double>(answers) / seconds : 0; }
  double front_end_us() const {
    return answers > 0 ? front_end_cpu_s * 1e6 / static_cast<double>(answers) : 0;
  }
  double answers_per_core_s() const {
    return front_end_cpu_s > 0 ? static_cast<double>(answers) / front_end_cpu_s : 0;
  }
};

// The tokenizer and templates are a model's, or the two below where there is none.
Result<std::vector<HttpBenchResult>> run_http_bench(std::unique_ptr<const Tokenizer> tokenizer,
                                                    ChatTemplates templates,
                                                    const HttpBenchOptions& options);

// A tokenizer whose tokens are the 256 bytes, and ChatML's template.
Result<std::unique_ptr<const Tokenizer>> make_byte_tokenizer();
Result<ChatTemplates> make_chatml_templates();

}  // namespace hangar
