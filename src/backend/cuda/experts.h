// top_experts: which experts a token goes to, on the card.
//
// Promise: as Backend::top_experts, but the ids and weights stay on the card: [rows * k]. Scores
//   that compare equal come in the order of their indices, as in the reference.
// Shapes: scores {rows, experts} float32; 1 <= k <= experts <= kMostExperts.
// Errors: CudaError; std::invalid_argument for more experts, or scores of another type.
// Threads: one (the step thread).
#pragma once

#include <cstdint>

#include "backend/cuda/launch.h"
#include "tensor/activation.h"

namespace hangar::cuda {

inline constexpr std::int64_t kMostExperts = 1024;

void top_experts(const Launch& launch, Activation scores, std::int32_t k, bool normalize,
                 std::int32_t* ids, float* weights);

}  // namespace hangar::cuda
