// LocalEngine: an Engine in this process: one model on one backend, two threads.
//
// Promise: Engine's, and: the plan thread plans the next step while the step thread computes the
//   current one; a client that is gone costs at most the step under way and the one planned. An
//   idle engine uses no processor time. Greedy answers and seeded ones do not depend on what else
//   runs, on chunks, on preemption or on cache hits where the backend's rows do not (the CPU's do
//   not).
// Errors: make_local_engine: what opening the checkpoint, the model or the KV cache can fail with;
//   kResourceExhausted with the sums where the memory asked for is not there.
// Threads: Engine's.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "engine/engine.h"
#include "formats/checkpoint.h"
#include "sched/batching.h"
#include "tensor/kv_type.h"
#include "tensor/weight_quant.h"

namespace hangar {

class Backend;

struct LocalEngineOptions {
  std::string backend = "cpu";
  int threads = 0;          // 0: all processors this process may run on
  bool pin_threads = true;  // a thread stays on its processor, where there is one for each
  // Where weights lie that are laid out already (engine/prepared_model.h); "": they are not used.
  std::filesystem::path prepared_folder;
  bool make_prepared = false;       // and are to be put by the first start
  std::int32_t context_tokens = 0;  // 0: the model's own, at most what memory is set aside for
  // max_sequences: running at once; 0: what suits the backend
  BatchingOptions batching;
  std::int32_t step_tokens = 256;   // rows of one step; 0: what suits the backend
  std::int32_t max_waiting = 1024;  // sequences
  std::optional<KvType> kv_type;    // none: the backend's own
  std::uint64_t kv_bytes = 0;       // 0: engine/kv_budget.h decides
  // Of a backend's card (BackendOptions): a share of its memory, where there are no bytes.
  double device_memory_share = 0.0;
  std::uint64_t device_memory_bytes = 0;
  QuantOptions quant = {};   // of weights on a card
  bool stack_layers = true;  // BackendOptions
  bool prefix_cache = true;
  // Where neighbours could change an answer (on a card), whether they must not.
  bool deterministic = false;
  std::int32_t speculate_tokens = 0;  // guesses a step by prompt lookup; 0: off
};

Result<std::unique_ptr<Engine>> make_local_engine(std::shared_ptr<const Checkpoint> checkpoint,
                                                  const LocalEngineOptions& options);
// On a backend that is there already; options.backend and what only serves to make one are ignored.
Result<std::unique_ptr<Engine>> make_local_engine_on(std::unique_ptr<Backend> backend,
                                                     std::shared_ptr<const Checkpoint> checkpoint,
                                                     const LocalEngineOptions& options);

}  // namespace hangar
