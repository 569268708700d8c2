// The most that cuBLASLt makes of this card's matrix units: the bound of large products.
//
// Promise: random operands (zeros draw less power and run faster), several large shapes, the first
//   few algorithms that cuBLASLt proposes; the best median counts. Sums in float32.
// Units: operations per second; a multiply-add is two.
// Errors: CudaError; std::runtime_error where cuBLASLt refuses.
// Threads: main's.
#pragma once

#include <cuda_runtime.h>

#include "tensor/dtype.h"

namespace hangar::cuda::bench {

double matrix_operations_per_s(DType type, cudaStream_t stream);

}  // namespace hangar::cuda::bench
