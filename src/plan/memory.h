// What a model takes in memory, by arithmetic, before anything is allocated.
//
// Promise: the engine allocates by these numbers, so `hangar models` and the running server agree.
// Units: bytes, tokens.
// Errors: none; a pure function of its inputs.
// Threads: any.
#pragma once

#include <cstdint>

#include "formats/model_config.h"

namespace hangar {

struct MemoryPlan {
  std::uint64_t weight_bytes = 0;  // repacked copies; the mapped file is counted in file_bytes
  std::uint64_t file_bytes = 0;
  std::uint64_t kv_bytes = 0;       // for context_tokens
  std::uint64_t scratch_bytes = 0;  // activations of one step
  // Numbers past 64 bits count as the largest there is, in each part and in the sum.
  std::uint64_t total_bytes() const;
  std::int32_t context_tokens = 0;
};

// kv_element_bytes: 2 (f16) on the CPU backend, 4 on the reference.
MemoryPlan plan_memory(const ModelConfig& config, std::uint64_t file_bytes,
                       std::int32_t context_tokens, std::int32_t step_rows,
                       std::uint32_t kv_element_bytes);

// Scratch of a step on a card (model/decoder.cc): 16 bits an element, but 32 for the residual
// stream, the logits and the router's scores.
std::uint64_t device_scratch_bytes(const ModelConfig& config, std::int32_t step_rows,
                                   std::int32_t logit_rows);

}  // namespace hangar
