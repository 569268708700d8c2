// run_batching: the same load through several batching policies, each on an engine of its own.
//
// Promise: each policy gets the same prompts in the same order and the same arrivals; its engine is
//   made anew, loaded after a warm-up of its own, and gone before the next one is made. The engine
//   is looked at every 20 ms.
// Errors: those of make_engine, with the policy's name. kCancelled where the tick ended it before
// the
//   first policy was through; later, what was measured is given back.
// Threads: the calling thread runs the load; the engines have their own.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bench/engine_target.h"
#include "bench/load.h"
#include "bench/summary.h"
#include "bench/use_samples.h"
#include "engine/engine.h"
#include "sched/batching.h"

namespace hangar::bench {

struct BatchingRun {
  BatchingPolicy policy = BatchingPolicy::kNone;
  LoadResult load;
  Summary summary;
  UseSamples use;
  EngineInfo info;
  EngineStats stats;  // after the load
};

struct BatchingPlan {
  std::vector<BatchingPolicy> policies;
  std::function<Result<std::unique_ptr<Engine>>(BatchingPolicy policy)> make_engine;
  std::function<std::unique_ptr<PromptSource>()> make_prompts;
  PromptEncoder encode;
  EngineRequestOptions request;
  LoadOptions load;
  LatencyTargets targets;
  // false ends the whole of it.
  std::function<bool(BatchingPolicy policy, const LoadProgress& progress)> tick;
};

Result<std::vector<BatchingRun>> run_batching(const BatchingPlan& plan);

}  // namespace hangar::bench
