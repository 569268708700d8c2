// x of a product of one or two rows, as it lies; and what its block's threads meet at.
//
// Promise: can_read(): its rows, and a norm's weights, can be read 16 bytes at a time. sync(): of
//   all threads that multiply, whole warps, the block's first.
// Threads: values; sync() is a device function.
#pragma once

#include <cstdint>

#include "backend/cuda/direct.h"
#include "backend/cuda/element_io.cuh"
#include "backend/cuda/product.h"

namespace hangar::cuda::direct {

struct Source {
  const void* data = nullptr;  // of 16 bits, or, normed, of float32
  std::int64_t stride = 0;
  std::int32_t columns = 0;
  float eps = 0.0F;
  const float* norm = nullptr;

  Source() = default;
  explicit Source(const Product& product)
      : data(product.x),
        stride(product.x_stride),
        columns(static_cast<std::int32_t>(product.columns)),
        eps(product.norm.eps),
        norm(product.norm.weight) {}
};

// Whether a product's rows lie so that they can be read.
inline bool can_read(const Product& product) {
  const bool normed = product.norm.weight != nullptr;
  const Activation x{const_cast<void*>(product.x), product.rows, product.columns,
                     normed ? DType::kF32 : product.type, product.x_stride};
  return wide(x, x.columns) && (!normed || wide(product.norm.weight));
}

#ifdef __CUDACC__
__device__ __forceinline__ void sync(int threads) {
  asm volatile("bar.sync 1, %0;" ::"r"(threads) : "memory");
}
#endif

}  // namespace hangar::cuda::direct
