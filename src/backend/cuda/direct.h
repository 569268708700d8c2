// Products of one or two rows whose x is not quantized: what 4 bits and FP8 share.
//
// Promise: takes_direct(): x is taken as it is, in 16 bits, or with its norm to come, and lies in
//   shared memory as long as the kernel runs. Deterministic: never, so that all numbers of rows go
//   one way.
// Threads: values.
#pragma once

#include <algorithm>
#include <cstdint>

#include "backend/cuda/launch.h"

namespace hangar::cuda {

// At most; numbers: of all rows.
inline constexpr std::int64_t kRowsTakenDirectly = 2;
inline constexpr std::int64_t kNumbersTakenDirectly = 1 << 16;

inline constexpr int kMostDirectWarps = 24;  // that multiply: 80 registers a thread
inline constexpr int kMostDirectSlots = 32;

// Of W a block has so much under way at most. What more it asked for would wait in the memory's
// queues, and whoever reads the second-level cache meanwhile (the next product's x, attention)
// behind it.
inline constexpr int kInt4BytesUnderWay = 52 << 10;
inline constexpr int kFp8BytesUnderWay = 70 << 10;

constexpr int slots_under_way(int slots, int slot_bytes, int most_bytes) {
  return std::clamp(most_bytes / slot_bytes, 1, slots);
}

inline bool takes_direct(const Launch& launch, std::int64_t rows, std::int64_t columns) {
  return rows <= kRowsTakenDirectly && rows * columns <= kNumbersTakenDirectly &&
         !launch.deterministic;
}

}  // namespace hangar::cuda
