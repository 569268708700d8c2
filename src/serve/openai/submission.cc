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

// However many streams share the limit, each may hold a few pieces.
constexpr std::size_t kLeastWaitingBytes = 64U << 10U;

// Log-probabilities that one answer may hold: about a hundred bytes each while it is made.
constexpr std::int64_t kMaxLogprobsInAnswer = 8'000'000;

// A stream goes out as it is made; the prompt's part of it and a whole answer are held until then.
ApiResult<void> check_answer_size(const std::vector<TextRequest>& requests, bool stream) {
  std::int64_t held = 0;
  for (const TextRequest& text : requests) {
    const Request& request = text.request;
    if (request.logprobs < 0) continue;
    const std::int64_t tokens =
        (request.prompt_logprobs ? static_cast<std::int64_t>(request.prompt.size()) : 0) +
        (stream ? 0 : request.max_tokens);
    held += request.choices * tokens * (1 + request.logprobs);
  }
  if (held <= kMaxLogprobsInAnswer) return {};
  return tl::unexpected<ApiError>(invalid_value(
      "logprobs",
      fmt::format("the answer could hold {} log-probabilities, and one answer may hold {}. Lower "
                  "'n', the most tokens or the number of alternatives, or stream it.",
                  held, kMaxLogprobsInAnswer),
      "answer_too_large"));
}

ApiError refusal_of(const ServedModel& model, const Error& error) {
  ApiError api = api_error_of(error);
  if (error.code == ErrorCode::kResourceExhausted) {
    api.retry_after_s = model.retry_after_s();
    api.message += fmt::format("; try again in about {} s", api.retry_after_s);
  }
  return api;
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

ApiResult<void> check_prompt_text(const ServedModel& model, std::string_view text,
                                  const std::string& param) {
  const std::int64_t context = model.engine().info().context_tokens;
  const std::int64_t least = model.prompt_bound().least_tokens(text);
  if (least <= context) return {};
  ApiError error;
  error.message = fmt::format(
      "This model's maximum context length is {} tokens. However, the {} bytes of the {} are {} "
      "tokens at the least. Please reduce its length.",
      context, text.size(), param, least);
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
  text.request.tenant = fields.tenant;
  text.request.priority = fields.priority;
  text.stop = fields.stop;
  return text;
}

AnswerPlan answer_plan(const Gateway& gateway, const GenerationFields& fields, TimeLimit limit) {
  AnswerPlan plan;
  plan.returned_per_prompt = fields.choices;
  plan.stream = fields.stream;
  plan.include_usage = fields.include_usage;
  plan.limit = limit;
  plan.max_waiting_bytes = gateway.options().max_waiting_bytes;
  return plan;
}

HandlerResult start_generation(ServedModel& model, const AnswerPlan& plan,
                               std::unique_ptr<AnswerFormat> format,
                               std::vector<TextRequest> requests) {
  if (const auto status = check_answer_size(requests, plan.stream); !status) {
    return error_response(status.error());
  }
  GenerationOptions options;
  options.model = model.id();
  options.fingerprint = system_fingerprint(model);
  options.choices_per_prompt = requests.front().request.choices;
  options.returned_per_prompt = plan.returned_per_prompt;
  options.stream = plan.stream;
  options.include_usage = plan.include_usage;
  options.deadline_of_client = plan.limit.of_client;

  const std::size_t share_bytes =
      std::max(plan.max_waiting_bytes / requests.size(), kLeastWaitingBytes);
  for (TextRequest& request : requests) {
    request.request.deadline_us = plan.limit.deadline_us;
    request.whole = !plan.stream;
    request.max_waiting_bytes = share_bytes;
  }
  Result<std::vector<std::unique_ptr<OutputStream>>> streams = model.generate(std::move(requests));
  if (!streams) return error_response(refusal_of(model, streams.error()));
  return std::make_unique<Generation>(std::move(options), std::move(format), std::move(*streams));
}

}  // namespace hangar
