// SamplingFlags: how tokens are chosen, as flags of a command.
//
// Promise: the same names, ranges and meaning as the API's fields (--top-p is top_p).
// Errors: apply: kInvalidArgument with the flag, its value and its range.
// Threads: main's.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/request.h"
#include "serve/sampling_defaults.h"

namespace hangar {

class SamplingFlags {
 public:
  SamplingFlags(double temperature, std::int32_t max_tokens)
      : temperature_(temperature), max_tokens_(max_tokens) {}

  void add(CLI::App& app);
  // Checks the values and writes them into the request. max_tokens is cut to what the context
  // leaves beside the prompt, unless the flag was given. Flags that were not given take the model's
  // own defaults where it has some.
  Status apply(Request& request, std::int32_t context_tokens,
               const GenerationDefaults& defaults = {}) const;
  const std::vector<std::string>& stop() const { return stop_; }
  std::int32_t max_tokens() const { return max_tokens_; }

 private:
  double temperature_;
  double top_p_ = 1.0;
  std::int32_t top_k_ = 0;
  double min_p_ = 0.0;
  double presence_penalty_ = 0.0;
  double frequency_penalty_ = 0.0;
  double repetition_penalty_ = 1.0;
  std::uint64_t seed_ = 0;
  std::int32_t max_tokens_;
  std::int32_t min_tokens_ = 0;
  bool ignore_eos_ = false;
  std::vector<std::string> stop_;
  CLI::Option* temperature_option_ = nullptr;
  CLI::Option* top_p_option_ = nullptr;
  CLI::Option* top_k_option_ = nullptr;
  CLI::Option* min_p_option_ = nullptr;
  CLI::Option* repetition_penalty_option_ = nullptr;
  CLI::Option* seed_option_ = nullptr;
  CLI::Option* max_tokens_option_ = nullptr;
};

}  // namespace hangar
