// Which FP8 products of one or two rows there are, and which ways of cutting them are worth
// measuring.
#include <array>

#include "backend/cuda/even_ways.h"
#include "backend/cuda/fp8_direct.h"
#include "backend/cuda/fp8_direct_plan.h"
#include "backend/cuda/gate.cuh"

namespace hangar::cuda {
namespace {

constexpr int kMostSlotBytes = 56 << 10;
constexpr std::size_t kMostWays = 48;
constexpr int kWholeKib = 224;

double evenness(const Launch& launch, const Product& product, const Fp8DirectWay& way) {
  const std::int64_t tiles = plan_fp8_direct(product, way).tiles;
  return round_share(tiles, launch.processors) * static_cast<double>(product.weight_rows()) /
         static_cast<double>(tiles * way.strips * kFp8Strip);
}

}  // namespace

bool takes_fp8_direct(const Launch& launch, std::int64_t rows, std::int64_t columns) {
  return launch.hopper && rows >= 1 && columns % kBoxBytes == 0 &&
         takes_direct(launch, rows, columns);
}

bool is_fp8_direct(const Launch& launch, const Product& product) {
  return !product.int4 && product.weight_type == DType::kF8E4M3 &&
         takes_fp8_direct(launch, product.rows, product.columns);
}

bool can_multiply_fp8_direct(const Launch& launch, const Product& product) {
  return is_fp8_direct(launch, product) &&
         (!product.gate || (product.outputs % 8 == 0 && Gate::knows(*product.gate)));
}

std::vector<Fp8DirectWay> fp8_direct_ways(const Launch& launch, const Product& product) {
  using Warps = std::array<std::int32_t, 2>;
  constexpr Warps kWarps[] = {{2, 12}, {3, 8}, {2, 8}, {1, 16}, {1, 24}, {4, 6}, {2, 4},
                              {3, 4},  {2, 6}, {4, 3}, {1, 8},  {1, 12}, {3, 2}, {4, 2},
                              {2, 3},  {6, 2}, {1, 6}, {1, 4},  {7, 1},  {8, 1}};
  std::vector<Fp8DirectWay> ways;
  if (!can_multiply_fp8_direct(launch, product)) return ways;
  for (const auto& [strips, parts] : kWarps) {
    for (const int boxes : {8, 4, 16, 2}) {
      for (const int kib : {kRoomKib, kWholeKib}) {
        if (product.leaves_room && kib > kRoomKib) continue;
        const Fp8DirectWay way{strips, parts, boxes, kib};
        const Fp8DirectPlan plan = plan_fp8_direct(product, way);
        if (plan.slots < kLeastSlots || way.boxes > plan.boxes) continue;
        if (plan.slot_bytes < kLeastSlotBytes || plan.slot_bytes > kMostSlotBytes) continue;
        ways.push_back(way);
      }
    }
  }
  // Small matrices: what fits at all.
  if (ways.empty()) return {{1, 1, 1, product.leaves_room ? kRoomKib : kWholeKib}};
  keep_even(ways, kMostWays,
            [&](const Fp8DirectWay& way) { return evenness(launch, product, way); });
  return ways;
}

}  // namespace hangar::cuda
