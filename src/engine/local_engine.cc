#include "engine/local_engine.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <xxhash.h>

#include <algorithm>
#include <random>
#include <thread>
#include <utility>

#include "backend/backend.h"
#include "backend/registry.h"
#include "base/clock.h"
#include "engine/device_plan.h"
#include "engine/kv_budget.h"
#include "engine/mailbox.h"
#include "engine/plan_loop.h"
#include "engine/prepared_model.h"
#include "engine/runner.h"
#include "engine/steps.h"
#include "sched/scheduler.h"

namespace hangar {
namespace {

constexpr std::int32_t kBlockTokens = 16;

class LocalEngine final : public Engine {
 public:
  LocalEngine(std::shared_ptr<const Checkpoint> checkpoint, std::unique_ptr<Runner> runner,
              const SchedulerOptions& scheduler, const LocalEngineOptions& options, EngineInfo info)
      : checkpoint_(std::move(checkpoint)),
        runner_(std::move(runner)),
        info_(std::move(info)),
        mailbox_(options.max_waiting),
        steps_(make_steps(*runner_)),
        loop_(mailbox_, *steps_, scheduler, options.speculate_tokens),
        plan_thread_([this] { loop_.run(); }) {}

  ~LocalEngine() override {
    stop();
    plan_thread_.join();
  }

  const EngineInfo& info() const override { return info_; }
  Status submit_all(std::vector<Request> requests) override {
    for (const Request& request : requests) HANGAR_CHECK_OK(check(request));
    return mailbox_.submit(std::move(requests));
  }
  void cancel(RequestId id, std::int32_t choice) override { mailbox_.cancel({id, choice}); }
  std::vector<Event> next_events(std::int64_t timeout_us) override {
    return mailbox_.next_events(timeout_us);
  }
  EngineStats stats() const override;
  void drain() override { mailbox_.drain(); }
  void stop() override { mailbox_.stop(); }
  bool stopped() const override { return mailbox_.closed(); }
  std::string failure() const override { return mailbox_.failure(); }

 private:
  Status check(const Request& request) const;

  std::shared_ptr<const Checkpoint> checkpoint_;
  std::unique_ptr<Runner> runner_;
  const EngineInfo info_;
  Mailbox mailbox_;
  std::unique_ptr<Steps> steps_;
  PlanLoop loop_;
  std::thread plan_thread_;  // last: it uses all of the above
};

Status refuse(std::string field, std::string message) {
  return tl::unexpected<Error>(
      Error{ErrorCode::kInvalidArgument, std::move(message), std::move(field)});
}

Status LocalEngine::check(const Request& request) const {
  const auto prompt = static_cast<std::int64_t>(request.prompt.size());
  if (prompt == 0) return refuse("prompt", "the prompt has no tokens");
  if (request.max_tokens < 0) return refuse("max_tokens", "max_tokens is negative");
  if (request.choices < 1) return refuse("n", "n must be at least 1");
  if (prompt + request.max_tokens > info_.context_tokens) {
    return refuse("max_tokens",
                  fmt::format("the prompt has {} tokens and {} more are asked for; together they "
                              "pass the context of {} tokens",
                              prompt, request.max_tokens, info_.context_tokens));
  }
  const std::int32_t blocks =
      Scheduler::blocks_for(prompt + request.max_tokens, info_.block_tokens);
  if (blocks > info_.kv_blocks) {
    return refuse(
        "max_tokens",
        fmt::format("the prompt has {} tokens and {} more are asked for; that takes {} KV "
                    "blocks of {} tokens, and there are {}",
                    prompt, request.max_tokens, blocks, info_.block_tokens, info_.kv_blocks));
  }
  for (const std::int32_t token : request.prompt) {
    if (token < 0 || token >= info_.vocabulary) {
      return refuse("prompt", fmt::format("token id {} is outside the vocabulary of {}", token,
                                          info_.vocabulary));
    }
  }
  return {};
}

EngineStats LocalEngine::stats() const {
  EngineStats stats = mailbox_.stats();
  const std::int64_t now_us = steady_now_us();
  for (const std::int64_t since_us : {steps_->running_since_us(), mailbox_.oldest_arrival_us()}) {
    if (since_us != 0) stats.waited_for_us = std::max(stats.waited_for_us, now_us - since_us);
  }
  return stats;
}

std::uint64_t random_secret() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) | device();
}

// Where no prepared weights can be used, they are made; a start does not fail for want of them.
void prepare_once(const Checkpoint& checkpoint, const LocalEngineOptions& options) {
  const auto wanted = prepared_for(checkpoint, options.backend);
  if (!wanted || options.prepared_folder.empty()) return;
  const std::filesystem::path path =
      prepared_path(options.prepared_folder, checkpoint.files().front(), options.backend);
  if (open_prepared(path, *wanted)) return;
  const auto prepare = [&]() -> Status {
    HANGAR_TRY(const std::unique_ptr<PreparedFileWriter> writer,
               start_preparing(options.prepared_folder, checkpoint, options.backend, {}));
    HANGAR_CHECK_OK(load_into(*writer, checkpoint, options.backend, options.threads));
    HANGAR_CHECK_OK(writer->finish());
    spdlog::info("prepared weights: {}", path.string());
    return {};
  };
  if (const Status done = prepare(); !done) {
    spdlog::warn("weights could not be prepared: {}", done.error().message);
  }
}

// What one block of this model takes on this backend, before anything is loaded.
std::size_t block_bytes(const Backend& backend, const ModelConfig& config, KvType type) {
  KvShape shape;
  shape.layers = config.layers;
  shape.blocks = 1;
  shape.block_tokens = kBlockTokens;
  shape.kv_heads = config.kv_heads;
  shape.head_dim = config.head_dim;
  shape.type = type;
  return backend.kv_block_bytes(shape);
}

}  // namespace

Result<std::unique_ptr<Engine>> make_local_engine(std::shared_ptr<const Checkpoint> checkpoint,
                                                  const LocalEngineOptions& options) {
  if (options.make_prepared) prepare_once(*checkpoint, options);
  BackendOptions backend_options{.threads = options.threads, .pin_threads = options.pin_threads};
  if (!options.prepared_folder.empty()) {
    backend_options.prepared = use_prepared(options.prepared_folder, *checkpoint, options.backend);
  }
  backend_options.device_memory_share = options.device_memory_share;
  backend_options.device_memory_bytes = options.device_memory_bytes;
  backend_options.deterministic = options.deterministic;
  backend_options.work_type = usual_work_type(*checkpoint);
  backend_options.quant = options.quant;
  backend_options.stack_layers = options.stack_layers;
  HANGAR_TRY(std::unique_ptr<Backend> backend, make_backend(options.backend, backend_options));
  return make_local_engine_on(std::move(backend), std::move(checkpoint), options);
}

Result<std::unique_ptr<Engine>> make_local_engine_on(std::unique_ptr<Backend> backend,
                                                     std::shared_ptr<const Checkpoint> checkpoint,
                                                     const LocalEngineOptions& options) {
  HANGAR_TRY(const ModelConfig config, checkpoint->config());
  const KvType kv_type = options.kv_type.value_or(backend->default_kv_type());
  const StepSizes usual = backend->usual_step_sizes();
  const std::int32_t step_tokens =
      std::max(1, options.step_tokens > 0 ? options.step_tokens : usual.rows);
  const std::int32_t most_sequences =
      options.batching.max_sequences > 0 ? options.batching.max_sequences : usual.sequences;
  // A step has a row at least for each sequence that runs.
  const std::int32_t sequences = options.batching.policy == BatchingPolicy::kNone
                                     ? 1
                                     : std::clamp(most_sequences, 1, step_tokens);
  ModelLimits limits;
  limits.max_rows = step_tokens;
  limits.max_logit_rows = std::clamp(sequences * (1 + options.speculate_tokens),
                                     std::min(64, step_tokens), step_tokens);

  KvBudgetInput budget;
  budget.trained_context = config.context_tokens;
  budget.asked_context = options.context_tokens;
  budget.asked_bytes = options.kv_bytes;
  budget.block_bytes = block_bytes(*backend, config, kv_type);
  budget.block_tokens = kBlockTokens;
  budget.max_sequences = sequences;
  HANGAR_TRY(std::optional<DevicePlan> device, plan_device(*backend, *checkpoint, config, limits));
  if (device) {
    budget.device = true;
    budget.free_bytes = device->kv_bytes;
  } else if (const std::uint64_t available = available_memory_bytes(); available > 0) {
    budget.free_bytes = available - std::min(available - 1, checkpoint->file_bytes());
  }
  Result<KvBudget> planned = plan_kv(budget);
  const bool has_copies = device && device->copy_bytes > 0;
  if (!planned && has_copies && options.quant.copies == WeightCopies::kAuto) {
    // Nobody asked for copies: what was asked for comes first.
    device->give_up_copies();
    budget.free_bytes = device->kv_bytes;
    planned = plan_kv(budget);
  }
  HANGAR_TRY(const KvBudget kv, std::move(planned));
  if (!has_copies && wanted(options.quant.copies)) {
    spdlog::warn(
        "--int4-copies {}: there is nothing to copy (matrices of 4 bits{} on a card of compute "
        "capability 9.0, and not with --deterministic)",
        kWeightCopiesNames.of(options.quant.copies),
        options.quant.copies == WeightCopies::kExact ? " in groups of 128" : "");
  }

  RunnerOptions runner_options;
  runner_options.kv_blocks = kv.blocks;
  runner_options.block_tokens = kBlockTokens;
  runner_options.kv_type = kv_type;
  runner_options.limits = limits;
  runner_options.limits.context_tokens = kv.context_tokens;
  if (device && device->copy_bytes > 0) backend->keep_copies();
  HANGAR_TRY(auto runner, Runner::make(*checkpoint, std::move(backend), runner_options));
  if (device) log_device_use(*device, runner->backend(), runner->kv_bytes());

  // What is read of the files from here on comes back by itself.
  checkpoint->release(std::nullopt);

  SchedulerOptions scheduler;
  scheduler.batching = options.batching;
  scheduler.batching.max_sequences = sequences;
  scheduler.step_tokens = step_tokens;
  scheduler.max_logit_rows = limits.max_logit_rows;
  scheduler.kv_blocks = runner->kv_blocks();
  scheduler.block_tokens = kBlockTokens;
  scheduler.prefix_cache = options.prefix_cache;
  scheduler.prefix_secret = random_secret();
  const std::string identity =
      fmt::format("{}/{}/{}", config.architecture, config.name, kKvTypeNames.of(kv_type));
  scheduler.prefix_salt = XXH3_64bits(identity.data(), identity.size());

  EngineInfo info;
  info.model = config.name.empty() ? config.architecture : config.name;
  info.backend = runner->backend().description();
  info.context_tokens = kv.context_tokens;
  info.vocabulary = config.vocabulary;
  info.weight_bytes = runner->model().weight_bytes();
  info.kv_bytes = runner->kv_bytes();
  info.kv_blocks = runner->kv_blocks();
  info.block_tokens = kBlockTokens;
  info.kv_type = kKvTypeNames.of(kv_type);
  info.batching = kBatchingNames.of(options.batching.policy);
  info.max_running = sequences;
  info.step_tokens = step_tokens;
  info.max_waiting = options.max_waiting;
  return std::make_unique<LocalEngine>(std::move(checkpoint), std::move(runner), scheduler, options,
                                       std::move(info));
}

}  // namespace hangar
