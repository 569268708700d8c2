// What the tiled attention kernels share: matrix instructions and their fragments, copies into
// shared memory, scores.
//
// Promise: a slab is 16 tokens of one KV head, keys or values, as it lies in the cache: 16 rows of
//   head_dim elements whose chunks are permuted by kv_chunk(). load_keys() and load_values() give
//   what mma() wants of 16 columns of it.
// Fragments (lane l, g = l / 4, t = l % 4), as the PTX ISA has them for m16n8k16: of the product
//   c[0], c[1] are row g, columns 2t and 2t + 1, c[2], c[3] the same of row g + 8.
// Threads: device functions; a warp calls together what has a warp's instruction in it.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>

#include "backend/cuda/attention_kernels.h"
#include "backend/cuda/kv_layer.h"

namespace hangar::cuda::attend {

inline constexpr int kSlabTokens = 16;
inline constexpr float kNone = -INFINITY;  // the score of a token that is not attended to

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

// Two elements of an activation as two of T.
template <typename T>
__device__ __forceinline__ std::uint32_t recode(std::uint32_t both, bool half) {
  if (half == std::is_same_v<T, __half>) return both;
  if (half) {
    const float2 values = __half22float2(*reinterpret_cast<const __half2*>(&both));
    return pack<T>(values.x, values.y);
  }
  const float2 values = __bfloat1622float2(*reinterpret_cast<const __nv_bfloat162*>(&both));
  return pack<T>(values.x, values.y);
}

__device__ __forceinline__ std::uint32_t pack_output(float low, float high, bool half) {
  return half ? pack<__half>(low, high) : pack<__nv_bfloat16>(low, high);
}

// c += a b.
template <typename T>
__device__ __forceinline__ void mma(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0,
                                    std::uint32_t b1) {
  if constexpr (std::is_same_v<T, __half>) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
        "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  } else {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
        "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  }
}

__device__ __forceinline__ std::uint32_t shared_address(const void* p) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(p));
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

// b0, b1 of the slab's tokens 0 to 7, then of tokens 8 to 15, for dims 16 step .. + 15 of q k^T.
template <int kDim>
__device__ __forceinline__ void load_keys(std::uint32_t (&m)[4], std::uint32_t slab, int step) {
  const int lane = threadIdx.x % 32;
  const int token = (lane & 7) + (lane >> 4) * 8;
  const int chunk = 2 * step + ((lane >> 3) & 1);
  load_matrices(m, slab + token * kDim * 2 + kv_chunk(kDim, token, chunk) * 16);
}

// b0, b1 of dims 16 step .. + 7, then of the next 8, for the slab's tokens of p v.
template <int kDim>
__device__ __forceinline__ void load_values(std::uint32_t (&m)[4], std::uint32_t slab, int step) {
  const int lane = threadIdx.x % 32;
  const int token = (lane & 7) + ((lane >> 3) & 1) * 8;
  const int chunk = 2 * step + (lane >> 4);
  load_matrices_transposed(m, slab + token * kDim * 2 + kv_chunk(kDim, token, chunk) * 16);
}

// a of 16 rows in shared memory that lie and are permuted as a slab's, dims 16 step .. + 15.
template <int kDim>
__device__ __forceinline__ void load_rows(std::uint32_t (&m)[4], std::uint32_t rows, int step) {
  const int lane = threadIdx.x % 32;
  const int row = lane & 15;
  const int chunk = 2 * step + (lane >> 4);
  load_matrices(m, rows + row * kDim * 2 + kv_chunk(kDim, row, chunk) * 16);
}

// 2^x; 0 of kNone.
__device__ __forceinline__ float power_of_2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// The score of a softcap, from a dot product.
__device__ __forceinline__ float capped(const AttentionArguments& a, float dot) {
  const float x = dot * a.inner_scale;
  return a.softcap * (1.0F - __fdividef(2.0F, 1.0F + __expf(2.0F * x)));  // tanh x
}
// What a score is multiplied by to be a power of 2.
__device__ __forceinline__ float score_factor(const AttentionArguments& a) {
  return a.softcap > 0.0F ? 1.0F : a.inner_scale;
}

// What the copy engine, or cp.async, brings into shared memory.
#if __CUDA_ARCH__ >= 900

__device__ __forceinline__ void init_barrier(std::uint32_t barrier) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(barrier) : "memory");
}
// After init_barrier, in the same thread.
__device__ __forceinline__ void publish_barriers() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}
__device__ __forceinline__ void expect(std::uint32_t barrier, std::uint32_t bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes)
               : "memory");
}
__device__ __forceinline__ void copy_bulk(std::uint32_t to, const void* from, std::uint32_t bytes,
                                          std::uint32_t barrier) {
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::
          "r"(to),
      "l"(__cvta_generic_to_global(from)), "r"(bytes), "r"(barrier)
      : "memory");
}
__device__ __forceinline__ void wait_for(std::uint32_t barrier, std::uint32_t parity) {
  std::uint32_t over = 0;
  do {
    asm volatile(
        "{\n"
        ".reg .pred p;\n"
        "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
        "selp.u32 %0, 1, 0, p;\n"
        "}\n"
        : "=r"(over)
        : "r"(barrier), "r"(parity)
        : "memory");
  } while (over == 0);
}
// Between a thread's own writes to shared memory and the copy engine's later ones.
__device__ __forceinline__ void fence_copies() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

#else

__device__ __forceinline__ void copy_16(std::uint32_t to, const void* from) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to),
               "l"(__cvta_generic_to_global(from))
               : "memory");
}
__device__ __forceinline__ void close_copies() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
// For all but the last kOpen groups of copies.
template <int kOpen>
__device__ __forceinline__ void wait_for_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kOpen) : "memory");
}
__device__ __forceinline__ void fence_copies() {}

#endif

// What lies beyond a sequence's last token may be anything, NaN too, and a weight of 0 would not
// hide that: zeros for rows [from, 16) of a slab of values. `thread` of `threads` does its part.
template <int kDim>
__device__ __forceinline__ void clear_rows(std::byte* slab, int from, int thread, int threads) {
  auto* chunks = reinterpret_cast<uint4*>(slab);
  for (int i = from * (kDim / 8) + thread; i < kSlabTokens * (kDim / 8); i += threads) {
    chunks[i] = make_uint4(0, 0, 0, 0);
  }
  fence_copies();
}

}  // namespace hangar::cuda::attend
