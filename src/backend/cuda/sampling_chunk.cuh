// A chunk of a row of logits in the registers of one block.
//
// Promise: thread t holds tokens 4 (t + kScanThreads j) .. + 3 of the chunk for j of 0 .. 3. What
//   is not finite, and what lies behind the vocabulary, is minus infinity after finite_or_never.
// Threads: a block of kScanThreads.
#pragma once

#include <cstdint>

#include "backend/cuda/ordered_key.cuh"
#include "backend/cuda/sampling_arrays.h"

namespace hangar::cuda {

inline constexpr int kScanThreads = 256;
inline constexpr int kScanGroups = kSampleChunk / (4 * kScanThreads);

__device__ inline float never() {
  return __uint_as_float(0xFF800000U);
}  // minus infinity
__device__ inline float finite_or_never(float x) {
  return (__float_as_uint(x) & 0x7F800000U) == 0x7F800000U ? never() : x;
}

struct ChunkTokens {
  float logits[kScanGroups][4];

  // Where a thread's group j begins in the chunk.
  __device__ static int place(int j) {
    return 4 * (static_cast<int>(threadIdx.x) + kScanThreads * j);
  }

  // `count` tokens of the chunk, which begins at `from`.
  __device__ void read(const float* from, int count) {
    const bool vectors = reinterpret_cast<std::uintptr_t>(from) % 16 == 0;
#pragma unroll
    for (int j = 0; j < kScanGroups; ++j) {
      const int at = place(j);
      if (vectors && at + 4 <= count) {
        const float4 four = *reinterpret_cast<const float4*>(from + at);
        logits[j][0] = four.x;
        logits[j][1] = four.y;
        logits[j][2] = four.z;
        logits[j][3] = four.w;
      } else {
#pragma unroll
        for (int e = 0; e < 4; ++e) logits[j][e] = at + e < count ? from[at + e] : never();
      }
    }
  }

  __device__ void keep_finite() {
#pragma unroll
    for (int j = 0; j < kScanGroups; ++j) {
#pragma unroll
      for (int e = 0; e < 4; ++e) logits[j][e] = finite_or_never(logits[j][e]);
    }
  }

  // The likeliest of this thread's tokens, of equal ones the lowest; the chunk begins at `base`.
  __device__ std::uint64_t best(std::int32_t base) const {
    float largest = never();
    int at = 0;
#pragma unroll
    for (int j = 0; j < kScanGroups; ++j) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        if (logits[j][e] > largest) {
          largest = logits[j][e];
          at = place(j) + e;
        }
      }
    }
    return ranked(key_of(largest), base + at);
  }
};

// The largest over the block, the same in every thread. `of_warps` is free to use again after the
// block's next barrier.
__device__ inline std::uint64_t block_maximum(std::uint64_t value, std::uint64_t* of_warps) {
  value = warp_maximum(value);
  if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = value;
  __syncthreads();
  const unsigned lane = threadIdx.x % 32;
  return warp_maximum(lane < kScanThreads / 32 ? of_warps[lane] : 0);
}

}  // namespace hangar::cuda
