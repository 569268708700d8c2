// What a warp's lanes have, joined: the same in every lane.
//
// Promise: over_warp() joins lanes 16 apart, then 8, 4, 2 and 1: `join` of two values, which takes
//   them in either order. The same values give the same result, bit for bit.
// Threads: device functions; a whole warp calls them.
#pragma once

namespace hangar::cuda {

template <typename Value, typename Join>
__device__ __forceinline__ Value over_warp(Value value, Join join) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) {
    value = join(value, __shfl_xor_sync(~0U, value, offset));
  }
  return value;
}

template <typename Value>
__device__ __forceinline__ Value warp_sum(Value value) {
  return over_warp(value, [](Value a, Value b) { return a + b; });
}

}  // namespace hangar::cuda
