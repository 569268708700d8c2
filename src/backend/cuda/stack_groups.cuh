// Groups of a stack's x: what their unit hangs on.
//
// Promise: largest_of() gives, for each group, the bits of the lane's largest magnitude: of a
//   NaN, if there is one, as those are larger than all others. From kNotFinite on an exponent is no
//   number's, and below kLeastExponent it is taken as that.
// Shapes: a group is four columns a lane.
// Threads: a device function.
#pragma once

#include <cstdint>

namespace hangar::cuda::stack {

inline constexpr std::uint32_t kLeastExponent = 40;
inline constexpr std::uint32_t kNotFinite = 255;

#if __CUDA_ARCH__ >= 900

template <int kGroups>
__device__ __forceinline__ void largest_of(const float (&values)[kGroups][4],
                                           std::uint32_t (&bits)[kGroups]) {
#pragma unroll
  for (int g = 0; g < kGroups; ++g) {
    bits[g] = 0;
#pragma unroll
    for (const float value : values[g]) {
      bits[g] = max(bits[g], __float_as_uint(value) & 0x7FFFFFFFU);
    }
  }
}

#endif

}  // namespace hangar::cuda::stack
