#include "serve/openai/completions.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "serve/openai/completion_request.h"
#include "serve/openai/json_body.h"
#include "serve/openai/models.h"
#include "serve/openai/submission.h"
#include "serve/openai/time_limit.h"

namespace hangar {
namespace {

// Each of them is a sequence of the engine; more at once would only fill its queue.
constexpr std::size_t kMaxChoicesInAll = 2048;

ApiResult<std::vector<TokenId>> prompt_ids(ServedModel& model, CompletionPrompt prompt,
                                           const std::string& param) {
  std::vector<TokenId> ids;
  if (auto* given = std::get_if<std::vector<TokenId>>(&prompt)) {
    if (const auto status = check_token_ids(model, *given, param); !status) {
      return tl::unexpected<ApiError>(status.error());
    }
    ids = std::move(*given);
  } else {
    const std::string& text = std::get<std::string>(prompt);
    if (const auto status = check_prompt_text(model, text, param); !status) {
      return tl::unexpected<ApiError>(status.error());
    }
    ids = model.tokenizer().encode(text, {.add_special = true, .parse_special = true});
  }
  if (!ids.empty()) return ids;
  // The start of a document, as the model knows it.
  const TokenizerSpec& spec = model.tokenizer().spec();
  const std::optional<TokenId> start = spec.bos ? spec.bos : spec.eos;
  if (start) return std::vector<TokenId>{*start};
  return tl::unexpected<ApiError>(
      invalid_value(param, "it is empty, and the model has no token for the start of a text."));
}

}  // namespace

HandlerResult completions(Gateway& gateway, const HttpRequest& request,
                          std::string_view /*captured*/) {
  const std::int64_t arrival_us = unix_now_us();
  const auto body = parse_json_body(request);
  if (!body) return error_response(body.error());
  auto completion = read_completion_request(*body);
  if (!completion) return error_response(completion.error());
  const GenerationFields& fields = completion->common;
  const auto limit = read_time_limit(gateway, request, fields, arrival_us);
  if (!limit) return error_response(limit.error());
  const auto found = find_model(gateway, fields.model);
  if (!found) return error_response(found.error());
  ServedModel& model = **found;
  if (const auto status = check_logit_bias(model, fields.sampling); !status) {
    return error_response(status.error());
  }
  const std::size_t count = completion->prompts.size();
  const std::int32_t best_of = completion->best_of;
  if (count * static_cast<std::size_t>(best_of) > kMaxChoicesInAll) {
    return error_response(
        invalid_value(best_of > fields.choices ? "best_of" : "n",
                      fmt::format("{} prompts with {} choices each are more than {} in all.", count,
                                  best_of, kMaxChoicesInAll)));
  }
  // The best are known by their log-probabilities, whether or not the client wants to see them.
  const std::int32_t logprobs =
      best_of > fields.choices ? std::max(completion->logprobs, 0) : completion->logprobs;

  std::vector<TextRequest> requests;
  requests.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string param = count == 1 ? std::string("prompt") : fmt::format("prompt[{}]", i);
    // What stands for an empty prompt is not the client's text, so there is nothing to echo.
    const auto* written = std::get_if<std::string>(&completion->prompts[i]);
    const bool echo = completion->echo && (written == nullptr || !written->empty());
    auto ids = prompt_ids(model, std::move(completion->prompts[i]), param);
    if (!ids) return error_response(ids.error());
    const auto max_tokens = fit_context(model, ids->size(), completion->max_tokens, param);
    if (!max_tokens) return error_response(max_tokens.error());
    TextRequest text = text_request_of(model, fields, logprobs);
    text.request.choices = best_of;
    text.request.prompt = std::move(*ids);
    text.request.max_tokens = *max_tokens;
    text.request.prompt_logprobs = echo && completion->logprobs >= 0;
    text.echo = echo;
    requests.push_back(std::move(text));
  }
  return start_generation(model, answer_plan(gateway, fields, *limit),
                          make_completion_format(completion->logprobs >= 0), std::move(requests));
}

}  // namespace hangar
