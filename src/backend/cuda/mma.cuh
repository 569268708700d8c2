// A warp's matrix instructions on 16-bit numbers.
//
// Promise: mma(): c {16, 8} += a {16, 16} b {16, 8}, of T, which is __nv_bfloat16 or __half, in
//   float32. transposed(): an 8 by 8 matrix across.
// Fragments (lane l, g = l / 4, t = l % 4): a[h + 2 k] has row g + 8 h, columns 2t + 8 k and the
//   next; b0 and b1 rows 2t and 2t + 8 and the next of column g; c[h * 2 + i] row g + 8 h, column
//   2t + i; of 8 by 8, row g, columns 2t and the next.
// Source: PTX ISA 9.0, "mma.m16n8k16", "movmatrix".
// Threads: device functions; a whole warp calls them.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>
#include <type_traits>

namespace hangar::cuda {

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

__device__ __forceinline__ std::uint32_t transposed(std::uint32_t rows) {
  std::uint32_t columns = 0;
  asm("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;" : "=r"(columns) : "r"(rows));
  return columns;
}

}  // namespace hangar::cuda
