// How long a plan takes with 256 sequences running and many waiting. Its bound: a step of a small
// model is a few milliseconds, so a plan of 100 us would show in it were it not made meanwhile.
#include <benchmark/benchmark.h>

#include <string>
#include <utility>
#include <vector>

#include "sched/scheduler.h"

namespace hangar {
namespace {

constexpr int kRunning = 256;

// Arguments: waiting sequences, tenants, tokens of each waiting prompt. Every tenth step one
// sequence ends and, if it fits, another is admitted.
void plan_of_many(benchmark::State& state) {
  SchedulerOptions options;
  options.batching.max_sequences = kRunning;
  options.step_tokens = 512;
  options.max_logit_rows = 512;
  options.kv_blocks = 20'000;
  Scheduler scheduler(options);
  SequenceId last = 0;
  const auto add = [&](std::int32_t prompt) {
    SequenceSpec spec;
    spec.id = ++last;
    for (std::int32_t i = 0; i < prompt; ++i) {
      spec.prompt.push_back(static_cast<std::int32_t>(last) + i);
    }
    spec.max_tokens = 1'000'000;
    spec.tenant = std::to_string(last % static_cast<SequenceId>(state.range(1)));
    scheduler.add(std::move(spec));
  };
  const std::vector<std::int32_t> sampled{1};
  const auto commit = [&](const StepPlan& plan) {
    for (const StepItem& item : plan.items) {
      scheduler.commit(item, std::span(sampled).first(item.samples ? 1 : 0));
    }
  };
  for (int i = 0; i < kRunning; ++i) add(100);
  while (scheduler.stats().waiting > 0) commit(scheduler.plan(0));
  for (int i = 0; i < state.range(0); ++i) add(static_cast<std::int32_t>(state.range(2)));
  std::int64_t steps = 0;
  for (auto _ : state) {
    const StepPlan plan = scheduler.plan(0);
    state.PauseTiming();
    commit(plan);
    if (++steps % 10 == 0) {
      scheduler.remove(plan.items[100].sequence);
      add(static_cast<std::int32_t>(state.range(2)));
    }
    state.ResumeTiming();
  }
}
BENCHMARK(plan_of_many)
    ->ArgNames({"waiting", "tenants", "prompt"})
    ->Args({1000, 20, 100})
    ->Args({10'000, 1000, 20})
    ->Args({100, 10, 20'000})
    ->Iterations(500)
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace hangar
