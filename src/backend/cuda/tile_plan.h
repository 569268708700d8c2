// TilePlan: the numbers of a tile product's launch (tile_matmul.h).
//
// Promise: plan_tiles() divides way.memory_kib into slots and what the warpgroups' sums need to be
//   added up; slots is 0 where not even one fits. takes_turns(), takes_many(), takes_wide():
//   of a plan.
// Units: bytes of shared memory.
// Threads: values.
#pragma once

#include <algorithm>
#include <cstdint>

#include "backend/cuda/product.h"
#include "backend/cuda/tile_matmul.h"

namespace hangar::cuda {

inline constexpr int kSharedTileRows = 64;  // up to so many, both warpgroups take the same rows
inline constexpr int kMostTileSlots = 32;
inline constexpr int kWidestTile = 128;      // rows of x, of one block
inline constexpr int kMostTileKib = 224;     // of a block, beside barriers and scales
inline constexpr int kTileBoxBytes = 128;    // of a row
inline constexpr int kTileAlignment = 1024;  // of what is swizzled
inline constexpr int kTurnsRows = 128;       // of W: Turns (tile_turns.cuh)
inline constexpr int kTurnsSlots = 6;
inline constexpr int kManyRows = 192;  // of W, of three warpgroups: tile_many.cuh
inline constexpr int kManyTurn = 4;    // slots whose scales are asked for together
inline constexpr int kWideRows = 256;  // of W, gated, by two blocks: tile_wide.cuh
inline constexpr int kWideTile = 256;  // of x
inline constexpr int kWideRoomBytes = kWideTile * 2 * kWideRows / 4;  // a block's y
inline constexpr int kWideKib = 226;
inline constexpr int kWideSlots = 4;
inline constexpr int kTileRoomBytes = 8 * 16 * 20 * 4;  // that eight warps write y by
constexpr int many_slots(int rows) {
  return rows == kManyRows ? 5 : kTurnsSlots;
}
constexpr int many_room_bytes(int rows) {
  return rows == kManyRows ? kTileRoomBytes / 2 * 3 : kTileRoomBytes;
}

struct TilePlan {
  int chunks = 0;  // slots that a tile's columns fill
  int tiles = 0;
  int x_tiles = 1;
  int slots = 0;
  int slot_bytes = 0;
  int shared_bytes = 0;
};

// Of a row, in a box.
inline std::int64_t tile_box_columns(const Product& product) {
  return product.x_type() == DType::kF8E4M3 ? kTileBoxBytes : kTileBoxBytes / 2;
}

// Rows of x that are multiplied at a time: those that there are, rounded up to what the instruction
// takes.
constexpr int tile_width(std::int64_t rows) {
  int width = 8;
  while (width < rows && width < kWidestTile) width *= 2;
  return width;
}

inline TilePlan plan_tiles(const Product& product, const TileWay& way) {
  const bool wide = way.rows == kWideRows;
  const int width = wide ? kWideTile : tile_width(product.rows);
  TilePlan plan;
  plan.slot_bytes = way.boxes * ((wide ? way.rows / 2 : way.rows) + width) * kTileBoxBytes;
  const bool shared = way.rows <= kSharedTileRows;
  // The sums of one warpgroup; and what the instruction reads behind a low tile's last row.
  const int sums = shared ? width * 64 * 4 : 0;
  const int behind = shared ? (kSharedTileRows - way.rows) * kTileBoxBytes : 0;
  const int room = wide ? kWideRoomBytes : many_room_bytes(way.rows);
  const int beside = std::max(sums + room, behind) + kTileAlignment;
  plan.slots = std::clamp((way.memory_kib * 1024 - beside) / plan.slot_bytes, 0, kMostTileSlots);
  plan.shared_bytes = plan.slots * plan.slot_bytes + beside;
  const std::int64_t columns = way.boxes * tile_box_columns(product);
  plan.chunks = static_cast<int>((product.columns + columns - 1) / columns);
  plan.x_tiles = static_cast<int>((product.rows + width - 1) / width);
  plan.tiles = static_cast<int>((product.weight_rows() + way.rows - 1) / way.rows);
  return plan;
}

// Whether tile_wide.cuh could do it: it writes y by the copy engine.
inline bool suits_wide(const Product& product) {
  return product.gate && product.rows > kMostTileRows && product.group_scales == nullptr &&
         product.output == ProductOutput::kWork &&
         rows_aligned(product.y, product.type, product.y_stride);
}
// And whether it does.
inline bool takes_wide(const Product& product, const TileWay& way, const TilePlan& plan) {
  return suits_wide(product) && way.rows == kWideRows && way.boxes == 1 && way.split == 1 &&
         plan.slots == kWideSlots;
}

// Whether a block goes through its slots without a pause (tile_turns.cuh).
inline bool takes_turns(const Product& product, const TileWay& way, const TilePlan& plan) {
  return product.x_type() == DType::kF8E4M3 && tile_width(product.rows) == kWidestTile &&
         way.rows == kTurnsRows && way.boxes == 1 && plan.slots == kTurnsSlots &&
         plan.chunks % (2 * way.split) == 0;
}

// Whether tile_many.cuh does it: 192 rows of W by three warpgroups, or 128 by two, which have two
// slots under way, where groups of columns have scales.
inline bool takes_many(const Product& product, const TileWay& way, const TilePlan& plan) {
  if (product.x_type() != DType::kF8E4M3 || tile_width(product.rows) < kWidestTile) return false;
  if (way.boxes != 1 || plan.slots != many_slots(way.rows)) return false;
  const bool grouped = product.group_scales != nullptr;
  const bool by_fours = plan.chunks % (kManyTurn * way.split) == 0;
  if (way.rows == kManyRows) return !grouped || way.split == 1 || by_fours;
  return way.rows == kTurnsRows && grouped && !product.gate && by_fours;
}

}  // namespace hangar::cuda
