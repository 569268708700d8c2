// The kernels that sampling is made of.
//
// Promise: pick_greedy alone serves rows that are forced or greedy and want nothing else; others
//   take scan_rows (many blocks a row: adjustments, maxima and sums of each chunk) and then
//   pick_tokens (a block for each row). Nothing is read on the host: the same launch over another
//   plan does what that plan says. Adjusted logits are put back by pick_tokens.
// Shapes: logits {any, vocabulary} float32; `rows` of the plan, padding included.
// Errors: CudaError.
// Threads: one (the step thread).
#pragma once

#include <cstdint>

#include "backend/cuda/launch.h"
#include "backend/cuda/sampling_arrays.h"
#include "tensor/activation.h"

namespace hangar::cuda {

void pick_greedy(const Launch& launch, const SamplerArrays& arrays, Activation logits,
                 std::int32_t rows);
void scan_rows(const Launch& launch, const SamplerArrays& arrays, Activation logits,
               std::int32_t rows);
void pick_tokens(const Launch& launch, const SamplerArrays& arrays, Activation logits,
                 std::int32_t rows);

}  // namespace hangar::cuda
