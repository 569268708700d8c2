// LocalEngine: an Engine in this process: one step thread, one model, one backend.
//
// Promise: Engine's, and: between steps it looks at cancellations, so a client that is gone costs
// at
//   most one more step. An idle engine uses no processor time.
// Errors: make_local_engine: what opening the checkpoint, the model or the KV cache can fail with.
// Threads: Engine's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "engine/engine.h"
#include "formats/checkpoint.h"

namespace hangar {

struct LocalEngineOptions {
  std::string backend = "cpu";
  int threads = 0;                  // 0: all processors this process may run on
  std::int32_t context_tokens = 0;  // 0: the model's own, at most what memory is set aside for
  std::int32_t prefill_chunk_tokens = 256;
  std::int32_t max_waiting = 1024;
};

Result<std::unique_ptr<Engine>> make_local_engine(std::shared_ptr<const Checkpoint> checkpoint,
                                                  const LocalEngineOptions& options);

}  // namespace hangar
