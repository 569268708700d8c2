#include "serve/openai/chat.h"

#include <utility>

#include "base/clock.h"
#include "serve/chat_prompt.h"
#include "serve/openai/chat_request.h"
#include "serve/openai/json_body.h"
#include "serve/openai/models.h"
#include "serve/openai/submission.h"
#include "serve/openai/time_limit.h"

namespace hangar {

HandlerResult chat_completions(Gateway& gateway, const HttpRequest& request,
                               std::string_view /*captured*/) {
  const std::int64_t arrival_us = unix_now_us();
  const auto body = parse_json_body(request);
  if (!body) return error_response(body.error());
  auto chat = read_chat_request(*body);
  if (!chat) return error_response(chat.error());
  const auto limit = read_time_limit(gateway, request, chat->common, arrival_us);
  if (!limit) return error_response(limit.error());
  const auto found = find_model(gateway, chat->common.model);
  if (!found) return error_response(found.error());
  ServedModel& model = **found;
  if (const auto status = check_logit_bias(model, chat->common.sampling); !status) {
    return error_response(status.error());
  }

  boost::json::object context = std::move(chat->template_variables);
  context["messages"] = std::move(chat->messages);
  const Result<std::string> prompt = render_chat(model, std::move(context));
  if (!prompt) {
    ApiError error = api_error_of(prompt.error());
    if (!error.param) {
      error.param = prompt.error().code == ErrorCode::kUnsupported ? "model" : "messages";
    }
    return error_response(error);
  }
  if (const auto status = check_prompt_text(model, *prompt, "messages"); !status) {
    return error_response(status.error());
  }
  std::vector<TokenId> ids = encode_chat(model, *prompt);
  const auto max_tokens = fit_context(model, ids.size(), chat->max_tokens, "messages");
  if (!max_tokens) return error_response(max_tokens.error());

  TextRequest text = text_request_of(model, chat->common, chat->logprobs);
  text.request.prompt = std::move(ids);
  text.request.max_tokens = *max_tokens;
  std::vector<TextRequest> requests;
  requests.push_back(std::move(text));
  return start_generation(model, answer_plan(gateway, chat->common, *limit),
                          make_chat_format(chat->logprobs >= 0), std::move(requests));
}

}  // namespace hangar
