// Int4Plan: the numbers of a 4-bit product's launch (int4_matmul.h).
//
// Promise: plan_direct(), plan_few() and plan_tiles() divide way.memory_kib into slots and what is
//   beside them (x of a direct product, what sums are joined in); slots is 0 where it does not fit.
// Units: bytes of shared memory.
// Threads: values.
#pragma once

#include <algorithm>
#include <cstdint>

#include "backend/cuda/int4.h"
#include "backend/cuda/int4_inputs.h"
#include "backend/cuda/int4_matmul.h"
#include "backend/cuda/product.h"

namespace hangar::cuda {

inline constexpr int kMostInt4Slots = 32;
inline constexpr int kInt4Alignment = 1024;             // of what is swizzled
inline constexpr int kInt4FewAlignment = 128;           // of a box
inline constexpr int kInt4RoomBytes = 8 * 16 * 20 * 4;  // that eight warps write y by

// What eight warps keep the scales of `width` rows of x in.
constexpr int int4_scale_bytes(int width) {
  return 8 * width * 4;
}

struct Int4Plan {
  int blocks = 0;       // of 128 columns
  int chunks = 0;       // slots that a tile's columns fill
  int tiles = 0;        // of W
  int tile_strips = 0;  // of W in a slot, of both where it is gated
  int x_tiles = 1;      // of x
  int slot_bytes = 0;
  int slots = 0;
  int shared_bytes = 0;
};

inline Int4Plan plan_direct(const Product& product, const Int4Way& way) {
  const Int4Form form = *product.int4;
  Int4Plan plan;
  plan.blocks = static_cast<int>(int4_column_blocks(product.columns));
  plan.chunks = (plan.blocks + way.per_slot - 1) / way.per_slot;
  plan.tiles = static_cast<int>((product.outputs / kInt4Strip + way.strips - 1) / way.strips);
  plan.tile_strips = product.gate ? 2 * way.strips : way.strips;
  const int slot = way.per_slot * plan.tile_strips * static_cast<int>(int4_block_bytes(form));
  plan.slot_bytes = (slot + kInt4FewAlignment - 1) / kInt4FewAlignment * kInt4FewAlignment;
  const int join = 2 * way.strips * way.parts * 32 * 8;  // two turns' rooms, two numbers of a lane
  const int beside = plan.blocks * int4_direct_block_bytes(product.rows, int4_groups(form)) + join;
  plan.slots = std::clamp((way.memory_kib * 1024 - beside) / plan.slot_bytes, 0, kMostDirectSlots);
  plan.shared_bytes = plan.slots * plan.slot_bytes + beside;
  return plan;
}

inline Int4Plan plan_few(const Product& product, const Int4Way& way) {
  const Int4Form form = *product.int4;
  const int matrices = product.gate ? 2 : 1;
  Int4Plan plan;
  plan.blocks = static_cast<int>(int4_column_blocks(product.columns));
  plan.chunks = (plan.blocks + way.per_slot - 1) / way.per_slot;
  plan.tiles = static_cast<int>((product.outputs / kInt4Strip + way.strips - 1) / way.strips);
  plan.tile_strips = way.strips * matrices;
  const int slot = way.per_slot * (plan.tile_strips * static_cast<int>(int4_block_bytes(form)) +
                                   int4_few_block_bytes(int4_groups(form)));
  plan.slot_bytes = (slot + kInt4FewAlignment - 1) / kInt4FewAlignment * kInt4FewAlignment;
  const int join = 2 * (way.parts - 1) * plan.tile_strips * 512;
  plan.slots = std::clamp((way.memory_kib * 1024 - join) / plan.slot_bytes, 0, kMostInt4Slots);
  plan.shared_bytes = plan.slots * plan.slot_bytes + join;
  return plan;
}

inline Int4Plan plan_tiles(const Product& product, const Int4Way& way) {
  const Int4Form form = *product.int4;
  const int width = static_cast<int>(int4_tile_rows(product.rows));
  const bool both = way.parts == 2;
  const int groups = int4_groups(form);
  Int4Plan plan;
  plan.blocks = static_cast<int>(int4_column_blocks(product.columns));
  plan.chunks = (plan.blocks + way.per_slot - 1) / way.per_slot;
  plan.tile_strips = both ? 2 * way.strips : way.strips;
  const int outputs = product.gate ? way.strips : plan.tile_strips;
  plan.tiles = static_cast<int>((product.outputs / kInt4Strip + outputs - 1) / outputs);
  plan.x_tiles = static_cast<int>((product.rows + width - 1) / width);
  const int slot =
      way.per_slot * (plan.tile_strips * static_cast<int>(int4_block_bytes(form)) + width * 128) +
      int4_sum_bytes(int4_sum_fours(groups, way.per_slot), width);
  plan.slot_bytes = (slot + kInt4Alignment - 1) / kInt4Alignment * kInt4Alignment;
  const int join = both ? 0 : width * 64 * 4;
  const int beside = join + kInt4RoomBytes + int4_scale_bytes(width) + kInt4Alignment;
  plan.slots = std::clamp((way.memory_kib * 1024 - beside) / plan.slot_bytes, 0, kMostInt4Slots);
  plan.shared_bytes = plan.slots * plan.slot_bytes + beside;
  return plan;
}

}  // namespace hangar::cuda
