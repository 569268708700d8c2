// From checked fields to running engine requests: what chat and completions do alike.
//
// Promise: a prompt that does not fit the context is refused with both lengths; the ids that the
//   client wrote are tokens of the model.
// Errors: ApiError.
// Threads: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "serve/openai/answer_format.h"
#include "serve/openai/api_error.h"
#include "serve/openai/generation_fields.h"
#include "serve/served_model.h"

namespace hangar {

// `param` is the field that holds the prompt. max_tokens none: all that the context leaves.
ApiResult<std::int32_t> fit_context(ServedModel& model, std::size_t prompt_tokens,
                                    std::optional<std::int32_t> max_tokens,
                                    const std::string& param);

ApiResult<void> check_token_ids(ServedModel& model, const std::vector<TokenId>& ids,
                                const std::string& param);
ApiResult<void> check_logit_bias(ServedModel& model, const SamplingParams& sampling);

// Everything of a TextRequest but its prompt and limits; what the body leaves open is sampled as
// the model's authors recommend.
TextRequest text_request_of(const ServedModel& model, const GenerationFields& fields,
                            std::int32_t logprobs);

HandlerResult start_generation(ServedModel& model, const GenerationFields& fields,
                               std::unique_ptr<AnswerFormat> format,
                               std::vector<TextRequest> requests);

}  // namespace hangar
