// FP8 (e4m3) between a cache and the arithmetic of 16 and 32 bits.
//
// Promise: codes become halves exactly; floats become codes as float_to_float8_e4m3 (float8.h)
//   makes them. Cards before compute capability 8.9 have no instructions for it: theirs are longer.
// Units: codes lie in a word in the order of their addresses, the first in its lowest byte.
// Source: PTX ISA 9.0, "cvt".
// Threads: device functions.
#pragma once

#include <cuda_fp16.h>

#include <cstdint>

#include "tensor/float8.h"

namespace hangar::cuda {

// Four codes as two pairs of halves.
__device__ __forceinline__ void e4m3_to_halves(std::uint32_t codes, std::uint32_t& first,
                                               std::uint32_t& second) {
#if __CUDA_ARCH__ >= 890
  asm("{\n"
      ".reg .b16 low, high;\n"
      "mov.b32 {low, high}, %2;\n"
      "cvt.rn.f16x2.e4m3x2 %0, low;\n"
      "cvt.rn.f16x2.e4m3x2 %1, high;\n"
      "}\n"
      : "=r"(first), "=r"(second)
      : "r"(codes));
#else
  // A half's exponent has one bit more and an offset larger by 8: the same bits are 256 times less.
  const auto widen = [](std::uint32_t spread) {
    const std::uint32_t bits = ((spread & 0x00800080U) << 8U) | ((spread & 0x007F007FU) << 7U);
    const __half2 scaled =
        __hmul2(*reinterpret_cast<const __half2*>(&bits), __floats2half2_rn(256.0F, 256.0F));
    return *reinterpret_cast<const std::uint32_t*>(&scaled);
  };
  first = widen(__byte_perm(codes, 0, 0x4140));
  second = widen(__byte_perm(codes, 0, 0x4342));
#endif
}

// Two floats as codes, in the lower 16 bits.
__device__ __forceinline__ std::uint32_t floats_to_e4m3(float first, float second) {
#if __CUDA_ARCH__ >= 890
  std::uint16_t codes;
  asm("cvt.rn.satfinite.e4m3x2.f32 %0, %2, %1;" : "=h"(codes) : "f"(first), "f"(second));
  return codes;
#else
  return float_to_float8_e4m3(first) |
         (static_cast<std::uint32_t>(float_to_float8_e4m3(second)) << 8U);
#endif
}

}  // namespace hangar::cuda
