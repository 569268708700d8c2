// Numbers made on the card: random weights, and what is measured on.
//
// Promise: number i of a call depends on first + i and the seed alone.
// Shapes: `elements` numbers of kF32, kBF16 or kF16, one behind the other; `first` is even.
// Errors: CudaError.
// Threads: one. Done when the stream has done it.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "tensor/dtype.h"

namespace hangar::cuda {

enum class RandomNumbers : std::uint8_t {
  kUniform,  // within +- scale
  kNormal,   // of mean 0 and deviation `scale`
};

void fill_random(void* data, DType type, std::int64_t elements, std::uint64_t seed, float scale,
                 RandomNumbers numbers, cudaStream_t stream, std::int64_t first = 0);
void fill_constant(void* data, DType type, std::int64_t elements, float value, cudaStream_t stream);

}  // namespace hangar::cuda
