// Which decode kernel, and how it is launched.
//
// Promise: attend_decode() (attention_kernels.h) for a cache of T, with a kernel for each head size
//   that fast_heads() allows, in decode_blocks() blocks: scratch is for as many.
// Errors: CudaError.
// Threads: the step thread.
#pragma once

#include <cstddef>

#include "backend/cuda/attention_decode.cuh"

namespace hangar::cuda::attend {

inline int decode_blocks(const Launch& launch, std::int32_t head_dim) {
  return launch.processors * (launch.hopper && head_dim <= 128 ? 2 : 1);
}

template <typename T, int kDim, typename Tile, bool kFew = false>
void launch_tiles(const Launch& launch, const AttentionArguments& a, const Plan& plan,
                  void* scratch) {
  const auto kernel = decode_kernel<T, kDim, Tile, kFew>;
  using Sizes = DecodeSizes<T, kDim>;
  int stages = Sizes::kStages;
  if (!launch.hopper) {
    // What this card runs was not compiled for Hopper, unless somebody only says so.
    cudaFuncAttributes attributes{};
    HANGAR_CUDA(cudaFuncGetAttributes(&attributes, kernel));
    if (attributes.ptxVersion < 90) stages = Sizes::kOlderStages;
  }
  const int shared_bytes = Sizes::shared_bytes(stages);
  HANGAR_CUDA(
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes));
  launch_kernel(launch, kernel, dim3(static_cast<unsigned>(decode_blocks(launch, kDim))),
                dim3(kDecodeThreads), static_cast<std::size_t>(shared_bytes), a, plan, scratch);
}

template <typename T, int kDim>
void launch_decode(const Launch& launch, const AttentionArguments& a, const Plan& plan,
                   void* scratch) {
  if (plan.tile_bits == kColumnBits) {
    using Tile = ColumnTile<T, kDim>;
    if constexpr (kDim == kInt4Columns) {
      if (a.few.data != nullptr) return launch_tiles<T, kDim, Tile, true>(launch, a, plan, scratch);
    }
    return launch_tiles<T, kDim, Tile>(launch, a, plan, scratch);
  }
  launch_tiles<T, kDim, RowTile<T, kDim>>(launch, a, plan, scratch);
}

template <typename T>
void launch_decode(const Launch& launch, const AttentionArguments& a, const Plan& plan,
                   void* scratch) {
  switch (a.head_dim) {
    case 64:
      return launch_decode<T, 64>(launch, a, plan, scratch);
    case 96:
      return launch_decode<T, 96>(launch, a, plan, scratch);
    case 128:
      return launch_decode<T, 128>(launch, a, plan, scratch);
    default:
      return launch_decode<T, 256>(launch, a, plan, scratch);
  }
}

}  // namespace hangar::cuda::attend
