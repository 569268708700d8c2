// Which prefill kernel of cards before Hopper, and how it is launched.
//
// Promise: attend_prefill() (attention_kernels.h) for a cache of T, with a kernel for each size of
//   head that fast_heads() allows.
// Errors: CudaError.
// Threads: the step thread.
#pragma once

#include "backend/cuda/attention_prefill.cuh"

namespace hangar::cuda::attend {

template <typename T, int kDim>
void launch_prefill(const Launch& launch, const AttentionArguments& a, std::int32_t fewest_rows) {
  const auto kernel = prefill_kernel<T, kDim>;
  constexpr int kSharedBytes = PrefillSizes<T, kDim>::kSharedBytes;
  HANGAR_CUDA(
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kSharedBytes));
  const std::int32_t tile_rows = kPrefillRows / a.group;
  const std::int32_t windows = (a.rows + tile_rows - 1) / tile_rows;
  launch_kernel(launch, kernel, dim3(static_cast<unsigned>(windows * a.kv_heads)),
                dim3(kPrefillThreads), kSharedBytes, a, fewest_rows);
}

template <typename T>
void launch_prefill(const Launch& launch, const AttentionArguments& a, std::int32_t fewest_rows) {
  switch (a.head_dim) {
    case 64:
      return launch_prefill<T, 64>(launch, a, fewest_rows);
    case 96:
      return launch_prefill<T, 96>(launch, a, fewest_rows);
    case 128:
      return launch_prefill<T, 128>(launch, a, fewest_rows);
    default:
      return launch_prefill<T, 256>(launch, a, fewest_rows);
  }
}

}  // namespace hangar::cuda::attend
