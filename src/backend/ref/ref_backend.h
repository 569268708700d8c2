// backend/ref: plain float32 loops that say what right means. Never optimised.
//
// Promise: every operation is a few readable loops, summed in double, on one thread. Weights are
//   dequantized to float32 once at load; keys and values are kept in float32,
//   rounded as the cache's KvType says.
// Errors: as Backend.
// Threads: as Backend; `threads` is ignored.
#pragma once

#include <memory>

#include "backend/backend.h"

namespace hangar {

std::unique_ptr<Backend> make_ref_backend(int threads);

}  // namespace hangar
