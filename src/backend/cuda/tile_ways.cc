// Which ways of cutting a tile product are worth measuring.
#include <algorithm>

#include "backend/cuda/even_ways.h"
#include "backend/cuda/tile_matmul.h"
#include "backend/cuda/tile_plan.h"

namespace hangar::cuda {
namespace {

double evenness(const Launch& launch, const Product& product, const TileWay& way) {
  const TilePlan plan = plan_tiles(product, way);
  const std::int64_t items = std::int64_t{plan.tiles} * plan.x_tiles * way.split;
  const bool halves = takes_turns(product, way, plan) || takes_many(product, way, plan);
  return round_share(items, std::int64_t{launch.processors} * way.blocks, halves) *
         static_cast<double>(product.weight_rows()) /
         static_cast<double>(std::int64_t{plan.tiles} * way.rows);
}

}  // namespace

std::vector<TileWay> tile_ways(const Launch& launch, const Product& product, bool fast_sums) {
  constexpr int kMostSlotBytes = 64 << 10;
  constexpr int kSplitWidth = 32;
  constexpr int kRoomRows = 16;
  std::vector<TileWay> ways;
  if (!can_tile(launch, product)) return ways;
  constexpr TileWay kByTwoBlocks{kWideRows, 1, kWideKib, 1};
  const bool eight_bits = product.x_type() == DType::kF8E4M3;
  if (product.rows > kMostTileRows && !eight_bits) return {kByTwoBlocks};
  const int width = tile_width(product.rows);
  // With more rows what comes behind takes longer than its beginning.
  const bool leaves_room = product.leaves_room && product.rows <= kRoomRows;
  const bool many_alone = product.group_scales != nullptr || product.rows > kMostTileRows;
  for (const int rows : {32, 48, 64, 56, 16, 24, 40, 96, 112, 128, kManyRows}) {
    const bool shared = rows <= kSharedTileRows;
    if (product.gate && rows % (shared ? 16 : 32) != 0) continue;
    if (rows < kSharedTileRows && product.rows > kWidestTile) continue;  // all of x for little of W
    for (const int boxes : {4, 2, 8, 1}) {
      if (shared && boxes < 2) continue;
      for (const auto& [kib, blocks] : {std::pair{kMostTileKib, 1}, {150, 1}, {112, 1}, {112, 2}}) {
        if (leaves_room && kib * blocks > kRoomKib) continue;
        TileWay way{rows, boxes, kib, blocks};
        const TilePlan plan = plan_tiles(product, way);
        if (plan.slot_bytes < kLeastSlotBytes || plan.slot_bytes > kMostSlotBytes) continue;
        if (plan.slots < kLeastSlots) continue;
        if (!leaves_room && kib * blocks <= kRoomKib) continue;
        if (width >= 64 && shared && blocks > 1) continue;     // x comes twice as often
        if (width > 64 && eight_bits && blocks > 1) continue;  // registers for one
        for (const int split : {1, 2, 4, 7}) {
          // Few rows: the atomic additions cost more than they save.
          if (split > 1 && (product.output != ProductOutput::kAdd || width < kSplitWidth)) break;
          way.split = split;
          if ((many_alone || rows == kManyRows) && !takes_many(product, way, plan)) continue;
          if (plan.chunks % split == 0) ways.push_back(way);
        }
      }
    }
  }
  constexpr std::size_t kMostWays = 24;
  const auto even = [&](const TileWay& way) { return evenness(launch, product, way); };
  std::ranges::stable_sort(ways, std::greater<>(), even);
  keep_even(ways, kMostWays, even);
  if (fast_sums && suits_wide(product)) ways.push_back(kByTwoBlocks);
  return ways;
}

}  // namespace hangar::cuda
