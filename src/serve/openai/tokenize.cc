#include "serve/openai/tokenize.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <utility>

#include "serve/chat_prompt.h"
#include "serve/openai/json_body.h"
#include "serve/openai/models.h"
#include "serve/openai/submission.h"
#include "serve/openai/tokenize_request.h"
#include "text/stream_decoder.h"

namespace hangar {

namespace json = boost::json;

namespace {

ApiResult<ServedModel*> choose_model(Gateway& gateway, const std::optional<std::string>& name) {
  if (!name && gateway.models().size() == 1) return gateway.models().front().get();
  if (name) return find_model(gateway, *name);
  ApiError error;
  error.param = "model";
  error.message = "Missing required parameter: 'model', since there is more than one.";
  error.code = "missing_required_parameter";
  return tl::unexpected<ApiError>(std::move(error));
}

ApiResult<std::vector<TokenId>> chat_ids(const ServedModel& model, TokenizeRequest request) {
  json::object context = std::move(request.template_variables);
  context["messages"] = std::move(*request.messages);
  Result<ChatPrompt> prompt = make_chat_prompt(model, std::move(context));
  if (!prompt) {
    ApiError error = api_error_of(prompt.error());
    if (!error.param) error.param = "messages";
    return tl::unexpected<ApiError>(std::move(error));
  }
  if (!request.add_special_tokens) return std::move(prompt->ids);
  return model.tokenizer().encode(prompt->text, {.add_special = true, .parse_special = true});
}

HttpResponse json_response(const json::object& object) {
  HttpResponse response;
  response.body = json::serialize(object);
  return response;
}

}  // namespace

HandlerResult tokenize(Gateway& gateway, const HttpRequest& request,
                       std::string_view /*captured*/) {
  const auto body = parse_json_body(request);
  if (!body) return error_response(body.error());
  auto wanted = read_tokenize_request(*body);
  if (!wanted) return error_response(wanted.error());
  const auto model = choose_model(gateway, wanted->model);
  if (!model) return error_response(model.error());
  const Tokenizer& tokenizer = (*model)->tokenizer();
  const bool with_strings = wanted->return_token_strs;

  std::vector<TokenId> ids;
  if (wanted->prompt) {
    ids = tokenizer.encode(*wanted->prompt,
                           {.add_special = wanted->add_special_tokens, .parse_special = true});
  } else {
    auto made = chat_ids(**model, std::move(*wanted));
    if (!made) return error_response(made.error());
    ids = std::move(*made);
  }
  json::object answer;
  answer["count"] = ids.size();
  answer["max_model_len"] = (*model)->engine().info().context_tokens;
  answer["tokens"] = json::array(ids.begin(), ids.end());
  answer["token_strs"] = nullptr;
  if (with_strings) {
    json::array strings;
    strings.reserve(ids.size());
    const auto& spellings = tokenizer.spec().tokens;
    for (const TokenId id : ids) {
      const std::string_view spelling = spellings[static_cast<std::size_t>(id)];
      strings.emplace_back(to_valid_utf8(spelling));
    }
    answer["token_strs"] = std::move(strings);
  }
  return json_response(answer);
}

HandlerResult detokenize(Gateway& gateway, const HttpRequest& request,
                         std::string_view /*captured*/) {
  const auto body = parse_json_body(request);
  if (!body) return error_response(body.error());
  const auto wanted = read_detokenize_request(*body);
  if (!wanted) return error_response(wanted.error());
  const auto model = choose_model(gateway, wanted->model);
  if (!model) return error_response(model.error());
  if (const auto status = check_token_ids(**model, wanted->tokens, "tokens"); !status) {
    return error_response(status.error());
  }
  json::object answer;
  answer["prompt"] = to_valid_utf8((*model)->tokenizer().decode(wanted->tokens, true));
  return json_response(answer);
}

}  // namespace hangar
