// KvType: how keys and values are kept in the cache.
//
// Promise: kF16 and kBF16 round each element; kInt8 keeps, for each token and KV head, keys and
//   values as 8-bit integers with one scale each: element = scale * integer, scale = the row's
//   largest magnitude / 127 (0 for a row of zeros). kFp8 keeps them as FP8 (e4m3) in the same way:
//   element = scale * code, scale = the row's largest magnitude / 448, and kFp8LeastScale at least.
//   A row of 8 bits that holds a number that is not finite is NaN. kF32 rounds nothing (the
//   reference's own).
// Threads: values.
#pragma once

#include <cstdint>

#include "base/names.h"

namespace hangar {

enum class KvType : std::uint8_t { kF32, kF16, kBF16, kInt8, kFp8 };

// So small that only zeros are rounded by it, and large enough for its inverse and its logarithm to
// be ordinary numbers.
inline constexpr float kFp8LeastScale = 0x1p-40F;

inline constexpr auto kKvTypeNames = names_of<KvType>({{KvType::kF32, "f32"},
                                                       {KvType::kF16, "f16"},
                                                       {KvType::kBF16, "bf16"},
                                                       {KvType::kInt8, "int8"},
                                                       {KvType::kFp8, "fp8"}});

}  // namespace hangar
