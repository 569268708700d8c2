// Floats as integers of the same order, and a float with an index as one integer: the larger float
// first, of equal ones the lower index.
//
// Promise: key_of(a) < key_of(b) exactly where a < b, for all that is not NaN; both zeros are one.
//   ranked() orders by value, then by the lower index, so that a maximum over threads does not
//   depend on who comes first.
// Threads: pure functions.
#pragma once

#include <cstdint>

#include "backend/cuda/warp.cuh"

namespace hangar::cuda {

__device__ inline std::uint32_t key_of(float value) {
  const std::uint32_t bits = __float_as_uint(value + 0.0F);  // -0 becomes 0
  return (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
}
__device__ inline float value_of_key(std::uint32_t key) {
  return __uint_as_float((key & 0x80000000U) != 0 ? key & 0x7FFFFFFFU : ~key);
}

__device__ inline std::uint64_t ranked(std::uint32_t key, std::int32_t index) {
  return (static_cast<std::uint64_t>(key) << 32) | static_cast<std::uint32_t>(~index);
}
__device__ inline std::uint32_t key_of_ranked(std::uint64_t both) {
  return static_cast<std::uint32_t>(both >> 32);
}
__device__ inline std::int32_t index_of_ranked(std::uint64_t both) {
  return ~static_cast<std::int32_t>(static_cast<std::uint32_t>(both));
}

__device__ inline std::uint64_t warp_maximum(std::uint64_t value) {
  return over_warp(value, [](std::uint64_t a, std::uint64_t b) { return b > a ? b : a; });
}

}  // namespace hangar::cuda
