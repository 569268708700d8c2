// How Hopper's prefill kernel is launched, and how it is cut for each type of cache and size of
// head.
//
// Promise: launch_prefill() is attend_prefill_hopper() (attention_kernels.h) for a cache of T, with
//   a kernel for each size of head that fast_heads() allows, and for FP8 with heads of 128 one more
//   where a sequence has many rows.
// Errors: CudaError.
// Threads: the step thread.
#pragma once

#include <algorithm>

#include "backend/cuda/attention_prefill_hopper.cuh"
#include "backend/cuda/tensor_map.h"

namespace hangar::cuda::attend::hopper {

template <typename T, int kDim>
inline constexpr PrefillWay kPrefillWay =
    kIsFp8<T>
        ? (kDim > 128 ? PrefillWay{.tokens = 64,
                                   .stages = 2,
                                   .raw_stages = 1,
                                   .unpackers = 2,
                                   .kept = false}
                      : PrefillWay{.tokens = 64, .stages = 3, .raw_stages = 3, .unpackers = 4})
    : kDim > 128 ? PrefillWay{.tokens = 64, .stages = 2, .kept = false}
                 : PrefillWay{};

// FP8, heads of 128: with larger stages sequences of 1024 rows and more took 6 to 12% less time on
// an H200, but those of 128 rows 21% more.
inline constexpr std::int32_t kManyRows = 1024;
inline constexpr PrefillWay kManyRowsWay{
    .tokens = 96, .stages = 2, .raw_stages = 2, .unpackers = 4};

template <typename S>
void launch_way(const Launch& launch, const AttentionArguments& a, std::int32_t fewest_rows,
                unsigned* counter) {
  const auto kernel = prefill_kernel<S>;
  HANGAR_CUDA(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, S::kBytes));
  const std::int32_t tile_rows = S::kRows / a.group;
  const std::int32_t items = (a.rows + tile_rows - 1) / tile_rows * a.kv_heads;
  PrefillMaps maps{};
  maps.queries = query_boxes(a.q, a.rows, std::int64_t{a.kv_heads} * a.group, S::kDim,
                             2 * a.q_stride, S::kPartBytes, tile_rows, a.group);
  if constexpr (!S::kCodes) {
    maps.keys = cache_boxes(a.keys, S::kDim, S::kPartBytes);
    maps.values = cache_boxes(a.values, S::kDim, S::kPartBytes);
  }
  launch_kernel(launch, kernel, dim3(static_cast<unsigned>(std::min(items, launch.processors))),
                dim3(S::kThreads), S::kBytes, a, maps, fewest_rows, counter);
}

template <typename T>
void launch_prefill(const Launch& launch, const AttentionArguments& a, std::int32_t fewest_rows,
                    std::int32_t most_rows, unsigned* counter) {
  switch (a.head_dim) {
    case 64:
      return launch_way<Sizes<T, 64, kPrefillWay<T, 64>>>(launch, a, fewest_rows, counter);
    case 96:
      return launch_way<Sizes<T, 96, kPrefillWay<T, 96>>>(launch, a, fewest_rows, counter);
    case 128:
      if constexpr (kIsFp8<T>) {
        if (most_rows >= kManyRows) {
          return launch_way<Sizes<T, 128, kManyRowsWay>>(launch, a, fewest_rows, counter);
        }
      }
      return launch_way<Sizes<T, 128, kPrefillWay<T, 128>>>(launch, a, fewest_rows, counter);
    default:
      return launch_way<Sizes<T, 256, kPrefillWay<T, 256>>>(launch, a, fewest_rows, counter);
  }
}

}  // namespace hangar::cuda::attend::hopper
