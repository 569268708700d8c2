// From checked fields to running engine requests: what chat and completions do alike.
//
// Promise: a prompt that does not fit the context is refused with both lengths; the ids that the
//   client wrote are tokens of the model. A full queue is 429 and says when to come again.
// Errors: ApiError.
// Threads: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serve/openai/answer_format.h"
#include "serve/openai/api_error.h"
#include "serve/openai/generation_fields.h"
#include "serve/openai/time_limit.h"
#include "serve/served_model.h"

namespace hangar {

// `param` is the field that holds the prompt. max_tokens none: all that the context leaves.
ApiResult<std::int32_t> fit_context(ServedModel& model, std::size_t prompt_tokens,
                                    std::optional<std::int32_t> max_tokens,
                                    const std::string& param);

// The same for a text that is too long whatever its tokens are: refused before the tokenizer's time
// is spent on it.
ApiResult<void> check_prompt_text(const ServedModel& model, std::string_view text,
                                  const std::string& param);

ApiResult<void> check_token_ids(ServedModel& model, const std::vector<TokenId>& ids,
                                const std::string& param);
ApiResult<void> check_logit_bias(ServedModel& model, const SamplingParams& sampling);

// How the answer is made of what the requests give.
struct AnswerPlan {
  std::int32_t returned_per_prompt = 1;  // of each request's choices, the best
  bool stream = false;
  bool include_usage = false;
  TimeLimit limit;
  std::size_t max_waiting_bytes = 0;  // of all the requests together
};

AnswerPlan answer_plan(const Gateway& gateway, const GenerationFields& fields, TimeLimit limit);

// Everything of a TextRequest but its prompt and limits; what the body leaves open is sampled as
// the model's authors recommend.
TextRequest text_request_of(const ServedModel& model, const GenerationFields& fields,
                            std::int32_t logprobs);

HandlerResult start_generation(ServedModel& model, const AnswerPlan& plan,
                               std::unique_ptr<AnswerFormat> format,
                               std::vector<TextRequest> requests);

}  // namespace hangar
