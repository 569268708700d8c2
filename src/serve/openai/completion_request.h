// CompletionRequest: the body of POST /v1/completions, checked.
//
// Promise: every field of the body is honoured, or known to change nothing, or refused by name.
// Errors: ApiError 400.
// Threads: any.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "serve/openai/generation_fields.h"
#include "text/tokenizer_spec.h"

namespace hangar {

// Text, or ids that are taken as they are.
using CompletionPrompt = std::variant<std::string, std::vector<TokenId>>;

struct CompletionRequest {
  GenerationFields common;
  std::vector<CompletionPrompt> prompts;  // at least one
  std::int32_t max_tokens = 16;
  std::int32_t logprobs = -1;  // how many alternatives; -1: no log-probabilities
  bool echo = false;
  std::int32_t best_of = 1;  // choices computed, of which the best `n` are returned
};

ApiResult<CompletionRequest> read_completion_request(const boost::json::object& body);

}  // namespace hangar
