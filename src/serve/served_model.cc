#include "serve/served_model.h"

#include <algorithm>
#include <ctime>
#include <functional>
#include <mutex>
#include <span>
#include <thread>
#include <unordered_map>
#include <utility>

#include "serve/choice_assembler.h"
#include "serve/output_queue.h"

namespace hangar {
namespace {

// What the pump knows of one TextRequest. Choices are touched by the pump thread alone once the
// request has been submitted.
struct RunningStream {
  struct Choice {
    RequestId id = 0;
    ChoiceAssembler assembler;
  };

  OutputQueue queue;
  std::vector<RequestId> ids;
  std::vector<Choice> choices;
  Usage usage;
  std::size_t open = 0;  // choices whose engine request still runs
  bool discard_output = false;
};

OutputPiece end_piece(Usage usage) {
  OutputPiece piece;
  piece.end = true;
  piece.usage = usage;
  return piece;
}

OutputPiece failed_piece(Usage usage, FinishReason reason, std::string error) {
  OutputPiece piece = end_piece(usage);
  piece.finish = reason;
  piece.error = std::move(error);
  return piece;
}

}  // namespace

// Reads the engine's events on its own thread. Streams share it, since they may outlive the model.
struct ServedModel::Pump {
  struct Target {
    std::shared_ptr<RunningStream> stream;
    std::size_t choice = 0;
  };

  explicit Pump(Engine& served) : engine(&served) {}

  void run() {
    constexpr std::int64_t kWaitUs = 1'000'000;
    for (;;) {
      const std::vector<Event> events = engine->next_events(kWaitUs);
      for (const Event& event : events) handle(event);
      if (events.empty() && engine->stopped()) break;
    }
    close();
  }

  // No more events will come: ends what still waits, and keeps streams off the engine.
  void close() {
    std::unordered_map<RequestId, Target> left;
    {
      std::lock_guard lock(mutex);
      closed = true;
      left.swap(targets);
    }
    for (auto& [id, target] : left) {
      target.stream->queue.push(
          failed_piece(target.stream->usage, FinishReason::kCancelled, "the model was unloaded"));
    }
  }

  void handle(const Event& event) {
    Target target;
    {
      std::lock_guard lock(mutex);
      const auto found = targets.find(event.request);
      if (found == targets.end()) return;
      target = found->second;
      if (event.kind == EventKind::kFinished) targets.erase(found);
    }
    RunningStream& stream = *target.stream;
    RunningStream::Choice& choice = stream.choices[target.choice];
    switch (event.kind) {
      case EventKind::kPrompt:
        choice.assembler.on_prompt_token(event);
        break;
      case EventKind::kToken: {
        const bool was_finished = choice.assembler.finished();
        push(stream, choice.assembler.on_token(event));
        if (choice.assembler.finished() && !was_finished) cancel({&choice.id, 1});
        break;
      }
      case EventKind::kChoiceFinished:
        push(stream, choice.assembler.on_end(event.finish));
        break;
      case EventKind::kFinished:
        finish_choice(stream, target.choice, event);
        break;
    }
  }

  static void push(RunningStream& stream, std::optional<OutputPiece> piece) {
    if (piece) stream.queue.push(std::move(*piece));
  }

  void finish_choice(RunningStream& stream, std::size_t index, const Event& event) {
    RunningStream::Choice& choice = stream.choices[index];
    push(stream, choice.assembler.on_end(event.finish));
    // A choice that a stop string ended was cancelled by us: that is no failure, and what the
    // engine made beyond the string does not count.
    const bool stopped = choice.assembler.stopped();
    if (!stream.discard_output) {
      const std::int32_t seen = choice.assembler.completion_tokens();
      stream.usage.completion_tokens +=
          stopped ? seen : std::max(seen, event.usage.completion_tokens);
    }
    if (index == 0) stream.usage.cached_tokens = event.usage.cached_tokens;
    const bool normal =
        stopped || event.finish == FinishReason::kStop || event.finish == FinishReason::kLength;
    --stream.open;
    if (!normal) {
      stream.queue.push(failed_piece(stream.usage, event.finish, event.error));
      cancel(stream.ids);
    } else if (stream.open == 0) {
      stream.queue.push(end_piece(stream.usage));
    }
  }

  void cancel(std::span<const RequestId> ids) {
    // Held while the engine is called: it keeps the engine alive, and the engine never calls back.
    std::lock_guard lock(mutex);
    if (closed) return;
    for (const RequestId id : ids) {
      if (targets.contains(id)) engine->cancel(id);
    }
  }

  Engine* engine;
  std::mutex mutex;
  std::unordered_map<RequestId, Target> targets;  // guarded by mutex
  RequestId next_id = 1;                          // guarded by mutex
  bool closed = false;                            // guarded by mutex
  std::thread thread;
};

namespace {

class PumpedStream final : public OutputStream {
 public:
  using Canceller = std::function<void(std::span<const RequestId>)>;

  PumpedStream(std::shared_ptr<RunningStream> stream, Canceller canceller)
      : stream_(std::move(stream)), canceller_(std::move(canceller)) {}
  ~PumpedStream() override {
    stream_->queue.abandon();
    if (!stream_->queue.ended()) cancel();
  }
  std::optional<OutputPiece> next(std::int64_t timeout_us) override {
    return stream_->queue.pop(timeout_us);
  }
  void on_ready(std::function<void()> callback) override {
    stream_->queue.on_ready(std::move(callback));
  }
  void cancel() override { canceller_(stream_->ids); }

 private:
  std::shared_ptr<RunningStream> stream_;
  Canceller canceller_;
};

}  // namespace

ServedModel::ServedModel(std::string id, std::unique_ptr<const Tokenizer> tokenizer,
                         ChatTemplates templates, std::unique_ptr<Engine> engine,
                         GenerationDefaults defaults)
    : id_(std::move(id)),
      created_unix_s_(static_cast<std::int64_t>(std::time(nullptr))),
      tokenizer_(std::move(tokenizer)),
      templates_(std::move(templates)),
      defaults_(std::move(defaults)),
      engine_(std::move(engine)),
      pump_(std::make_shared<Pump>(*engine_)) {
  pump_->thread = std::thread([pump = pump_.get()] { pump->run(); });
}

ServedModel::~ServedModel() {
  engine_->stop();
  pump_->thread.join();
}

Result<std::unique_ptr<OutputStream>> ServedModel::generate(TextRequest text_request) {
  Request& base = text_request.request;
  const std::int64_t context = engine_->info().context_tokens;
  const auto prompt_tokens = static_cast<std::int64_t>(base.prompt.size());
  if (base.prompt.empty()) {
    return make_error(ErrorCode::kInvalidArgument, "the prompt holds no tokens");
  }
  // No output asked for: the prompt may fill the context, and without its log-probabilities there
  // is nothing to compute.
  const bool discard = base.max_tokens <= 0;
  const bool computes = !discard || base.prompt_logprobs;
  if (computes ? prompt_tokens >= context : prompt_tokens > context) {
    return make_error(ErrorCode::kInvalidArgument,
                      "the prompt has {} tokens, the context holds {} together with the output",
                      prompt_tokens, context);
  }
  const std::int64_t wanted = discard ? 1 : base.max_tokens;
  base.max_tokens = static_cast<std::int32_t>(std::min(wanted, context - prompt_tokens));
  base.min_tokens = std::clamp(base.min_tokens, 0, std::max(base.max_tokens, 0));
  base.stop_tokens = tokenizer_->end_of_generation();
  base.stop_tokens.insert(base.stop_tokens.end(), defaults_.end_of_generation.begin(),
                          defaults_.end_of_generation.end());

  auto stream = std::make_shared<RunningStream>();
  stream->discard_output = discard;
  stream->usage.prompt_tokens = static_cast<std::int32_t>(prompt_tokens);
  ChoiceOptions options{std::move(text_request.stop), base.min_tokens, text_request.keep_special,
                        base.logprobs >= 0,           discard,         nullptr};
  if (text_request.echo) options.echo = std::make_shared<std::vector<TokenId>>(base.prompt);
  const auto count = static_cast<std::size_t>(std::max(base.choices, 1));
  for (std::size_t i = 0; i < count; ++i) {
    stream->choices.push_back(
        {0, ChoiceAssembler(*tokenizer_, static_cast<std::int32_t>(i), options)});
  }

  std::unique_ptr<OutputStream> handle = std::make_unique<PumpedStream>(
      stream, [pump = pump_](std::span<const RequestId> ids) { pump->cancel(ids); });
  if (!computes) {
    for (RunningStream::Choice& choice : stream->choices) {
      Pump::push(*stream, choice.assembler.on_end(FinishReason::kLength));
    }
    stream->queue.push(end_piece(stream->usage));
    return handle;
  }

  {
    std::lock_guard lock(pump_->mutex);
    if (pump_->closed) return make_error(ErrorCode::kUnavailable, "the model is being unloaded");
    for (std::size_t i = 0; i < count; ++i) {
      const RequestId id = pump_->next_id++;
      stream->choices[i].id = id;
      stream->ids.push_back(id);
      pump_->targets.emplace(id, Pump::Target{stream, i});
    }
    stream->open = count;
  }
  for (std::size_t i = 0; i < count; ++i) {
    Request request = base;
    request.id = stream->ids[i];
    request.choices = 1;
    if (request.sampling.seed) *request.sampling.seed += i;
    if (Status status = engine_->submit(std::move(request)); !status) {
      // Those that were taken are cancelled as `handle` goes; the rest were never known.
      std::lock_guard lock(pump_->mutex);
      for (std::size_t j = i; j < count; ++j) pump_->targets.erase(stream->ids[j]);
      return tl::unexpected<Error>(std::move(status.error()));
    }
  }
  return handle;
}

}  // namespace hangar
