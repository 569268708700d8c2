#include "serve/served_model.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include "base/clock.h"

namespace hangar {
namespace {

// The answer to a request that needs no engine.
class ReadyStream final : public OutputStream {
 public:
  explicit ReadyStream(std::unique_ptr<RunningStream> stream) : stream_(std::move(stream)) {}
  std::optional<OutputPiece> next(std::int64_t timeout_us) override {
    return stream_->queue().pop(timeout_us);
  }
  void on_ready(std::function<void()> callback) override {
    stream_->queue().on_ready(std::move(callback));
  }
  void cancel() override {}

 private:
  std::unique_ptr<RunningStream> stream_;
};

}  // namespace

ServedModel::ServedModel(std::string id, std::unique_ptr<const Tokenizer> tokenizer,
                         ChatTemplates templates, std::unique_ptr<Engine> engine,
                         GenerationDefaults defaults)
    : id_(std::move(id)),
      created_unix_s_(static_cast<std::int64_t>(std::time(nullptr))),
      tokenizer_(std::move(tokenizer)),
      prompt_bound_(*tokenizer_),
      templates_(std::move(templates)),
      defaults_(std::move(defaults)),
      engine_(std::move(engine)),
      pump_(std::make_shared<EventPump>(*engine_)) {}

ServedModel::~ServedModel() {
  engine_->stop();
  pump_->join();
}

Result<std::unique_ptr<OutputStream>> ServedModel::generate(TextRequest request) {
  std::vector<TextRequest> one;
  one.push_back(std::move(request));
  HANGAR_TRY(std::vector<std::unique_ptr<OutputStream>> streams, start(std::move(one), true));
  return std::move(streams.front());
}

Result<std::vector<std::unique_ptr<OutputStream>>> ServedModel::generate(
    std::vector<TextRequest> requests) {
  return start(std::move(requests), true);
}

Result<bool> ServedModel::complete(Request& request) const {
  const std::int64_t context = engine_->info().context_tokens;
  const auto prompt_tokens = static_cast<std::int64_t>(request.prompt.size());
  if (request.prompt.empty()) {
    return make_error(ErrorCode::kInvalidArgument, "the prompt holds no tokens");
  }
  // Without output the prompt may fill the context; if not even its log-probabilities are wanted,
  // there is nothing to compute.
  request.max_tokens = std::max(request.max_tokens, 0);
  const bool writes = request.max_tokens > 0;
  if (writes ? prompt_tokens >= context : prompt_tokens > context) {
    return make_error(ErrorCode::kInvalidArgument,
                      "the prompt has {} tokens, the context holds {} together with the output",
                      prompt_tokens, context);
  }
  request.max_tokens = static_cast<std::int32_t>(
      std::min<std::int64_t>(request.max_tokens, context - prompt_tokens));
  request.min_tokens = std::clamp(request.min_tokens, 0, request.max_tokens);
  request.choices = std::max(request.choices, 1);
  request.stop_tokens = tokenizer_->end_of_generation();
  request.stop_tokens.insert(request.stop_tokens.end(), defaults_.end_of_generation.begin(),
                             defaults_.end_of_generation.end());
  return writes || request.prompt_logprobs;
}

Result<std::vector<std::unique_ptr<OutputStream>>> ServedModel::start(
    std::vector<TextRequest> requests, bool counted) {
  std::vector<std::unique_ptr<OutputStream>> streams(requests.size());
  std::vector<EventPump::Start> computed;
  std::vector<std::size_t> places;  // of those
  for (std::size_t i = 0; i < requests.size(); ++i) {
    TextRequest& text = requests[i];
    HANGAR_TRY(const bool computes, complete(text.request));
    RunningStream::Options options;
    options.choice = {std::move(text.stop), text.request.min_tokens, text.keep_special,
                      text.request.logprobs >= 0, nullptr};
    if (text.echo) {
      options.choice.echo = std::make_shared<std::vector<TokenId>>(text.request.prompt);
    }
    options.queue = {text.max_waiting_bytes, text.whole};
    if (computes) {
      computed.push_back({std::move(text.request), std::move(options)});
      places.push_back(i);
      continue;
    }
    auto stream = std::make_unique<RunningStream>(*tokenizer_, text.request, std::move(options),
                                                  nullptr, steady_now_us());
    stream->end_uncomputed();
    streams[i] = std::make_unique<ReadyStream>(std::move(stream));
  }
  if (computed.empty()) return streams;
  HANGAR_TRY(std::vector<std::unique_ptr<OutputStream>> started,
             pump_->start(std::move(computed), *tokenizer_, counted));
  for (std::size_t i = 0; i < places.size(); ++i) streams[places[i]] = std::move(started[i]);
  return streams;
}

Status ServedModel::warm_up() {
  TextRequest text;
  const TokenizerSpec& spec = tokenizer_->spec();
  text.request.prompt = {spec.bos.value_or(spec.eos.value_or(0))};
  text.request.max_tokens = 1;
  text.request.sampling.temperature = 0.0F;
  text.request.ignore_eos = true;
  std::vector<TextRequest> one;
  one.push_back(std::move(text));
  HANGAR_TRY(const std::vector<std::unique_ptr<OutputStream>> streams,
             start(std::move(one), false));
  for (;;) {
    const std::optional<OutputPiece> piece = streams.front()->next(-1);
    if (piece && !piece->end) continue;
    if (has_produced()) return {};
    return make_error(ErrorCode::kInternal, "the model gave no token{}{}",
                      piece && !piece->error.empty() ? ": " : "", piece ? piece->error : "");
  }
}

int ServedModel::retry_after_s() const {
  return pump_->completions().wait_s(engine_->stats().waiting, steady_now_us());
}

}  // namespace hangar
