// Fp8DirectPlan: the numbers of an FP8 product's launch (fp8_direct.h).
//
// Promise: plan_fp8_direct() divides way.memory_kib into slots and what lies beside them: x, and
//   what sums are joined in; slots is 0 where it does not fit.
// Units: bytes of shared memory.
// Threads: values.
#pragma once

#include <algorithm>
#include <cstdint>

#include "backend/cuda/direct.h"
#include "backend/cuda/fp8_direct.h"
#include "backend/cuda/product.h"
#include "backend/cuda/tensor_map.h"

namespace hangar::cuda {

inline constexpr int kFp8Strip = 16;                                          // rows of W
inline constexpr int kFp8BoxBytes = kFp8Strip * static_cast<int>(kBoxBytes);  // of a strip
inline constexpr int kFp8Alignment = 1024;                                    // of what is swizzled

// Of x: F16, and a unit for each 128 columns of a row.
constexpr int fp8_direct_x_bytes(std::int64_t rows, std::int64_t columns) {
  return static_cast<int>(rows * (2 * columns + columns / kBoxBytes * std::int64_t{sizeof(float)}));
}

struct Fp8DirectPlan {
  int boxes = 0;   // of 128 columns, in a row
  int chunks = 0;  // slots that a tile's columns fill
  int tiles = 0;
  int slot_bytes = 0;
  int slots = 0;
  int shared_bytes = 0;
};

inline Fp8DirectPlan plan_fp8_direct(const Product& product, const Fp8DirectWay& way) {
  Fp8DirectPlan plan;
  plan.boxes = static_cast<int>(product.columns / kBoxBytes);
  plan.chunks = (plan.boxes + way.boxes - 1) / way.boxes;
  const std::int64_t tile_rows = std::int64_t{kFp8Strip} * way.strips;
  plan.tiles = static_cast<int>((product.weight_rows() + tile_rows - 1) / tile_rows);
  plan.slot_bytes = way.boxes * way.strips * kFp8BoxBytes;
  const int x = fp8_direct_x_bytes(product.rows, product.columns);
  const int join = 2 * way.strips * way.parts * 128;
  const int beside = x + join + kFp8Alignment;
  plan.slots = std::clamp((way.memory_kib * 1024 - beside) / plan.slot_bytes, 0, kMostDirectSlots);
  plan.shared_bytes = plan.slots * plan.slot_bytes + beside;
  return plan;
}

}  // namespace hangar::cuda
