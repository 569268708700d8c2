// What this card can do at most, measured in the same run: the bounds beside every figure.
//
// Promise: card_bounds() reads at least 4 GiB by 16-byte loads, 8 of them in flight in each thread;
//   copies half as much; and multiplies large random BF16 matrices through cuBLASLt, each several
//   times, and takes the median of the best shape. Nothing about the card is changed.
// Units: bytes and operations (a multiply-add is two) per second.
// Errors: CudaError; std::runtime_error for cuBLASLt's.
// Threads: main's.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "tensor/dtype.h"

namespace hangar::cuda::bench {

struct Card {
  std::string name;
  std::string driver;   // "580.82.07", "" where NVML is not there
  int driver_cuda = 0;  // 13000: what the driver runs
  int runtime_cuda = 0;
  int major = 0;  // compute capability
  int minor = 0;
  int processors = 0;
  std::size_t memory_bytes = 0;
  std::size_t l2_bytes = 0;
};

// The current device; CudaError where there is none.
Card this_card();

struct CardBounds {
  double read_bytes_per_s = 0.0;
  double copy_bytes_per_s = 0.0;  // read and written together
  double matrix_operations_per_s = 0.0;
};

CardBounds card_bounds(const Card& card, DType type, cudaStream_t stream);

// Normally distributed numbers of mean 0, of kF32, kBF16 or kF16, the same for the same seed.
void fill_normal(void* data, std::size_t elements, DType type, float deviation, std::uint64_t seed,
                 cudaStream_t stream);

}  // namespace hangar::cuda::bench
