// What the tiled attention kernels share: matrix instructions and their fragments, copies into
// shared memory, scores.
//
// Promise: a slab is 16 tokens of one KV head, keys or values, as it lies in the cache (kv_layer.h)
//   of T, which is __nv_bfloat16, __half or __nv_fp8_e4m3; products are of Work<T>. Fragments (lane
//   l, g = l / 4, t = l % 4), as the PTX ISA has them for m16n8k16: of the product c[0], c[1] are
//   row g, columns 2t and 2t + 1, c[2], c[3] the same of row g + 8.
// Threads: device functions; a warp calls together what has a warp's instruction in it.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include <cstdint>
#include <type_traits>

#include "backend/cuda/attention_kernels.h"
#include "backend/cuda/hopper.cuh"
#include "backend/cuda/kv_layer.h"
#include "backend/cuda/mma.cuh"

namespace hangar::cuda::attend {

inline constexpr float kNone = -INFINITY;  // the score of a token that is not attended to

template <typename T>
inline constexpr bool kIsFp8 = std::is_same_v<T, __nv_fp8_e4m3>;
// Codes are halves exactly; bfloat16 would hold them too, but no instruction makes it of them.
template <typename T>
using Work = std::conditional_t<kIsFp8<T>, __half, T>;

template <typename T, int kDim>
inline constexpr int kSlabBytes =
    kIsFp8<T> ? static_cast<int>(fp8_slab_bytes(kDim)) : kSlabTokens * kDim * 2;
// From a slab to the next of the same head's block, in elements.
template <typename T, int kDim>
inline constexpr int kSlabStride = kIsFp8<T> ? 2 * kSlabBytes<T, kDim> : kSlabTokens * kDim;

template <typename T>
__device__ __forceinline__ std::uint32_t pack(float low, float high) {
  if constexpr (std::is_same_v<T, __half>) {
    const __half2 both = __floats2half2_rn(low, high);
    return *reinterpret_cast<const std::uint32_t*>(&both);
  } else {
    const __nv_bfloat162 both = __floats2bfloat162_rn(low, high);
    return *reinterpret_cast<const std::uint32_t*>(&both);
  }
}

// Two elements of an activation, as floats, and as two of T.
__device__ __forceinline__ float2 floats_of(std::uint32_t both, bool half) {
  if (half) return __half22float2(*reinterpret_cast<const __half2*>(&both));
  return __bfloat1622float2(*reinterpret_cast<const __nv_bfloat162*>(&both));
}
template <typename T>
__device__ __forceinline__ std::uint32_t recode(std::uint32_t both, bool half) {
  if (half == std::is_same_v<T, __half>) return both;
  const float2 values = floats_of(both, half);
  return pack<T>(values.x, values.y);
}

__device__ __forceinline__ std::uint32_t pack_output(float low, float high, bool half) {
  return half ? pack<__half>(low, high) : pack<__nv_bfloat16>(low, high);
}

__device__ __forceinline__ void load_matrices(std::uint32_t (&m)[4], std::uint32_t address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3])
               : "r"(address)
               : "memory");
}
__device__ __forceinline__ void load_matrices_transposed(std::uint32_t (&m)[4],
                                                         std::uint32_t address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3])
               : "r"(address)
               : "memory");
}

// a of 16 rows in shared memory that lie and are permuted as a slab's of 16 bits, dims 16 step ..
// + 15.
template <int kDim>
__device__ __forceinline__ void load_rows(std::uint32_t (&m)[4], std::uint32_t rows, int step) {
  const int lane = threadIdx.x % 32;
  const int row = lane & 15;
  const int chunk = 2 * step + (lane >> 4);
  load_matrices(m, rows + row * kDim * 2 + kv_chunk(2 * kDim, row, chunk) * 16);
}

// 2^x; 0 of kNone.
__device__ __forceinline__ float power_of_2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// The score of a softcap, from a dot product times inner_scale.
__device__ __forceinline__ float capped(const AttentionArguments& a, float x) {
  return a.softcap * (1.0F - __fdividef(2.0F, 1.0F + __expf(2.0F * x)));  // tanh x
}
// What a score is multiplied by to be a power of 2. With FP8 it is one: scales came first.
template <typename T>
__device__ __forceinline__ float score_factor(const AttentionArguments& a) {
  return kIsFp8<T> || a.softcap > 0.0F ? 1.0F : a.inner_scale;
}

// What cp.async brings into shared memory, on cards before the copy engine (hopper.cuh).
#if __CUDA_ARCH__ < 900

__device__ __forceinline__ void close_copies() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
// For all but the last kOpen groups of copies.
template <int kOpen>
__device__ __forceinline__ void wait_for_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kOpen) : "memory");
}
#endif

// What lies beyond a sequence's last token may be anything, NaN too, and a weight of 0 would not
// hide that: zeros for rows [from, 16) of a slab of values, and of the scale 1. `thread` of
// `threads` does its part.
template <typename T, int kDim>
__device__ __forceinline__ void clear_rows(std::byte* slab, int from, int thread, int threads) {
  constexpr int kChunks = kDim * static_cast<int>(sizeof(T)) / 16;  // of a row
  auto* chunks = reinterpret_cast<uint4*>(slab);
  for (int i = from * kChunks + thread; i < kSlabTokens * kChunks; i += threads) {
    chunks[i] = make_uint4(0, 0, 0, 0);
  }
  if constexpr (kIsFp8<T>) {
    auto* scales = reinterpret_cast<float*>(slab + kSlabTokens * kDim);
    for (int i = from + thread; i < kSlabTokens; i += threads) scales[i] = 1.0F;
  }
  fence_copies();
}

}  // namespace hangar::cuda::attend
