// How many tokens of context an engine sets memory aside for.
//
// Promise: options.context_tokens if given, else the model's own, cut to what half of the memory
//   that is free now can hold (said in the log). Never more than the model was trained for.
// Errors: kInvalidArgument (asked for more than the model has), kResourceExhausted (with the
// numbers)
//   where what was asked for does not fit in memory.
// Threads: any.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "engine/local_engine.h"
#include "formats/checkpoint.h"
#include "formats/model_config.h"

namespace hangar {

Result<std::int32_t> choose_context(const ModelConfig& config, const Checkpoint& checkpoint,
                                    const LocalEngineOptions& options);

// Bytes the kernel says can be had without swapping; 0 where it does not say.
std::uint64_t available_memory_bytes();

}  // namespace hangar
