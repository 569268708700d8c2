#include "backend/cuda/int4_matmul.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include "backend/cuda/even_ways.h"
#include "backend/cuda/gate.cuh"
#include "backend/cuda/int4_kernels.h"
#include "backend/cuda/int4_math.cuh"

namespace hangar::cuda {
namespace {

constexpr int kMostSlotBytes = 72 << 10;
constexpr std::size_t kMostWays = 48;
constexpr std::int64_t kRowsOfOneHalf = 32;  // up to so many
// Where what follows is to find room: so many warps that no two blocks meet on a multiprocessor.
constexpr int kWarpsAlone = 17;

Int4Plan plan_of(const Launch& launch, const Product& product, const Int4Way& way) {
  if (takes_int4_direct(launch, product.rows, product.columns)) return plan_direct(product, way);
  return takes_few(launch, product.rows) ? plan_few(product, way) : plan_tiles(product, way);
}

bool fits(const Int4Plan& plan) {
  return plan.slots >= kLeastSlots && plan.slot_bytes >= kLeastSlotBytes &&
         plan.slot_bytes <= kMostSlotBytes;
}

std::vector<Int4Way> direct_ways() {
  using Warps = std::array<std::int32_t, 2>;
  constexpr Warps kWarps[] = {{2, 12}, {1, 24}, {3, 8}, {2, 8}, {1, 16}, {4, 6}, {2, 6},
                              {1, 12}, {3, 4},  {1, 6}, {2, 4}, {1, 8},  {3, 2}, {2, 3},
                              {1, 4},  {4, 3},  {6, 2}, {6, 1}, {6, 4}};
  std::vector<Int4Way> ways;
  for (const auto& [strips, parts] : kWarps) {
    for (const int per_slot : {8, 16, 4, 2}) {
      for (const int kib : {112, 224}) ways.push_back({strips, parts, per_slot, kib, 1});
    }
  }
  return ways;
}

std::vector<Int4Way> few_ways() {
  constexpr std::array<std::array<std::int32_t, 2>, 14> kWarps = {{{2, 8},
                                                                   {2, 4},
                                                                   {2, 6},
                                                                   {3, 4},
                                                                   {4, 3},
                                                                   {4, 2},
                                                                   {1, 8},
                                                                   {1, 12},
                                                                   {3, 6},
                                                                   {1, 16},
                                                                   {4, 4},
                                                                   {2, 7},
                                                                   {1, 7},
                                                                   {6, 2}}};
  std::vector<Int4Way> ways;
  for (const auto& [strips, parts] : kWarps) {
    for (const int per_slot : {8, 16, 4, 2}) {
      for (const int kib : {112, 224}) ways.push_back({strips, parts, per_slot, kib, 1});
    }
  }
  return ways;
}

std::vector<Int4Way> tile_ways_of(const Launch& launch, const Product& product) {
  if (launch.deterministic) return {{4, product.gate ? 2 : 1, 2, 224, 1}};
  std::vector<Int4Way> ways;
  for (const int strips : {8, 7, 6, 4, 3, 2, 1}) {
    const bool two = strips > kInt4HalfStrips;
    if (two && product.rows <= kRowsOfOneHalf) continue;
    for (const int split : {1, 2, 4, 7}) {
      if (split > 1 && product.output != ProductOutput::kAdd) break;
      for (const int parts : {1, 2}) {
        if ((product.gate || two) && parts != 2) continue;
        for (const int per_slot : {4, 2, 1}) {
          for (const int kib : {224, 112}) ways.push_back({strips, parts, per_slot, kib, split});
        }
      }
    }
  }
  return ways;
}

}  // namespace

bool can_multiply_int4(const Launch& launch, const Product& product) {
  return launch.hopper && product.int4 && product.rows >= 1 && product.outputs % kInt4Strip == 0 &&
         (!product.gate || Gate::knows(*product.gate));
}

std::vector<Int4Way> int4_ways(const Launch& launch, const Product& product) {
  if (!can_multiply_int4(launch, product)) return {};
  const bool direct = takes_int4_direct(launch, product.rows, product.columns);
  const bool tiles = !direct && !takes_few(launch, product.rows);
  std::vector<Int4Way> ways = direct  ? direct_ways()
                              : tiles ? tile_ways_of(launch, product)
                                      : few_ways();
  if (launch.deterministic) return ways;
  std::erase_if(ways, [&](const Int4Way& way) {
    const Int4Plan plan = plan_of(launch, product, way);
    return !fits(plan) || plan.chunks % way.split != 0 || way.per_slot > plan.blocks;
  });
  if (direct && product.leaves_room) {
    std::vector<Int4Way> roomy = ways;
    std::erase_if(roomy, [](const Int4Way& way) {
      return way.memory_kib > kRoomKib || way.strips * way.parts < kWarpsAlone;
    });
    if (!roomy.empty()) ways = std::move(roomy);
  }
  // Small matrices: what fits at all.
  if (ways.empty()) {
    const Int4Way small = direct  ? Int4Way{1, 1, 1, 224, 1}
                          : tiles ? Int4Way{1, product.gate ? 2 : 1, 1, 224, 1}
                                  : Int4Way{1, 1, 1, 112, 1};
    return {small};
  }
  std::ranges::stable_partition(ways, [&](const Int4Way& way) {
    return tiles && int4::takes_halves(product, way, plan_of(launch, product, way));
  });
  keep_even(ways, kMostWays, [&](const Int4Way& way) {
    const Int4Plan plan = plan_of(launch, product, way);
    return round_share(
        std::int64_t{plan.tiles} * plan.x_tiles * way.split, launch.processors,
        tiles && product.rows > kMostInt4TileRows / 2 && int4::takes_halves(product, way, plan));
  });
  return ways;
}

void int4_matmul(const Launch& launch, const Product& product, const Int4Way& way) {
  const Int4Plan plan = plan_of(launch, product, way);
  if (plan.slots < 1) throw std::invalid_argument("a 4-bit product's slots do not fit");
  if (takes_int4_direct(launch, product.rows, product.columns)) {
    return int4::multiply_direct(launch, product, way, plan);
  }
  if (takes_few(launch, product.rows)) return int4::multiply_few(launch, product, way, plan);
  if (int4::takes_halves(product, way, plan)) {
    return int4::multiply_halves(launch, product, way, plan);
  }
  switch (int4::layout_of(*product.int4)) {
    case int4::Layout::kGroup128:
      return int4::multiply_group128(launch, product, way, plan);
    case int4::Layout::kPairs32:
      return int4::multiply_pairs32(launch, product, way, plan);
    case int4::Layout::kSuper32:
      return int4::multiply_super32(launch, product, way, plan);
  }
}

}  // namespace hangar::cuda
