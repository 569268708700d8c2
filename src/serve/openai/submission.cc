#include "serve/openai/submission.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "serve/openai/field_reader.h"
#include "serve/openai/generation.h"

namespace hangar {
namespace {

// A logit's row may lie past the tokenizer's vocabulary (padding), but no one can ask for those.
std::int32_t known_tokens(ServedModel& model) {
  const std::int32_t rows = model.engine().info().vocabulary;
  const std::int32_t tokens = model.tokenizer().vocabulary();
  return rows > 0 ? std::min(rows, tokens) : tokens;
}

}  // namespace

ApiResult<std::int32_t> fit_context(ServedModel& model, std::size_t prompt_tokens,
                                    std::optional<std::int32_t> max_tokens,
                                    const std::string& param) {
  const std::int64_t context = model.engine().info().context_tokens;
  const auto prompt = static_cast<std::int64_t>(prompt_tokens);
  // Without a limit there must be room for one token at least.
  const std::int64_t output = max_tokens.value_or(1);
  if (prompt + output <= context) {
    return max_tokens.value_or(static_cast<std::int32_t>(context - prompt));
  }
  ApiError error;
  error.message = fmt::format(
      "This model's maximum context length is {} tokens. However, you requested {} tokens ({} in "
      "the {}, {} in the completion). Please reduce the length of the {} or of the completion.",
      context, prompt + output, prompt, param, output, param);
  error.param = param;
  error.code = "context_length_exceeded";
  return tl::unexpected<ApiError>(std::move(error));
}

ApiResult<void> check_token_ids(ServedModel& model, const std::vector<TokenId>& ids,
                                const std::string& param) {
  const std::int32_t known = known_tokens(model);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] >= 0 && ids[i] < known) continue;
    return tl::unexpected<ApiError>(invalid_value(
        fmt::format("{}[{}]", param, i),
        fmt::format("the model has no token {}; ids go from 0 to {}.", ids[i], known - 1),
        "invalid_token_id"));
  }
  return {};
}

ApiResult<void> check_logit_bias(ServedModel& model, const SamplingParams& sampling) {
  const std::int32_t known = known_tokens(model);
  for (const auto& [token, bias] : sampling.logit_bias) {
    if (token < known) continue;
    return tl::unexpected<ApiError>(invalid_value(
        "logit_bias",
        fmt::format("the model has no token {}; ids go from 0 to {}.", token, known - 1),
        "invalid_token_id"));
  }
  return {};
}

TextRequest text_request_of(const ServedModel& model, const GenerationFields& fields,
                            std::int32_t logprobs) {
  TextRequest text;
  text.request.choices = fields.choices;
  text.request.sampling = fields.sampling;
  apply_generation_defaults(model.generation_defaults(), fields.given, text.request.sampling);
  text.request.min_tokens = fields.min_tokens;
  text.request.ignore_eos = fields.ignore_eos;
  text.request.logprobs = logprobs;
  text.stop = fields.stop;
  return text;
}

HandlerResult start_generation(ServedModel& model, const GenerationFields& fields,
                               std::unique_ptr<AnswerFormat> format,
                               std::vector<TextRequest> requests) {
  std::vector<std::unique_ptr<OutputStream>> streams;
  streams.reserve(requests.size());
  for (TextRequest& request : requests) {
    Result<std::unique_ptr<OutputStream>> stream = model.generate(std::move(request));
    // Those that run already are cancelled as they go out of scope.
    if (!stream) return error_response(api_error_of(stream.error()));
    streams.push_back(std::move(*stream));
  }
  GenerationOptions options;
  options.model = model.id();
  options.fingerprint = system_fingerprint(model);
  options.choices_per_prompt = fields.choices;
  options.stream = fields.stream;
  options.include_usage = fields.include_usage;
  return std::make_unique<Generation>(std::move(options), std::move(format), std::move(streams));
}

}  // namespace hangar
