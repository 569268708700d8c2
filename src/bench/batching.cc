#include "bench/batching.h"

#include <boost/asio/io_context.hpp>
#include <utility>

#include "base/clock.h"

namespace hangar::bench {
namespace {

constexpr std::int64_t kLookEveryUs = 20'000;

Result<BatchingRun> run_policy(const BatchingPlan& plan, BatchingPolicy policy) {
  auto engine = plan.make_engine(policy);
  if (!engine) return with_context(std::move(engine.error()), kBatchingNames.of(policy));
  BatchingRun run;
  run.policy = policy;
  run.info = (*engine)->info();
  const std::unique_ptr<PromptSource> prompts = plan.make_prompts();
  boost::asio::io_context io;
  EngineTarget target(io, **engine, plan.encode, plan.request);
  LoadOptions load = plan.load;
  load.tick_us = kLookEveryUs;
  run.load = run_load(io, target, *prompts, load, [&](const LoadProgress& progress) {
    if (!progress.warming_up) run.use.take(progress.elapsed_us, (*engine)->stats());
    return !plan.tick || plan.tick(policy, progress);
  });
  run.stats = (*engine)->stats();
  if (!run.load.interrupted) run.use.take(run.load.elapsed_us, run.stats);
  run.summary = summarize(run.load.records, run.load.elapsed_us, plan.targets);
  return run;
}

}  // namespace

Result<std::vector<BatchingRun>> run_batching(const BatchingPlan& plan) {
  std::vector<BatchingRun> runs;
  for (const BatchingPolicy policy : plan.policies) {
    HANGAR_TRY(BatchingRun run, run_policy(plan, policy));
    const bool interrupted = run.load.interrupted;
    // A policy that was cut short is not set beside others that were not.
    if (!interrupted) runs.push_back(std::move(run));
    if (interrupted) break;
  }
  if (runs.empty()) {
    return make_error(ErrorCode::kCancelled, "stopped before the first policy was through");
  }
  return runs;
}

}  // namespace hangar::bench
