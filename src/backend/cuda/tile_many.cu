// Tile products of many rows: of FP8, and of 8-bit copies of 4-bit weights.
#include "backend/cuda/tile_many.cuh"

namespace hangar::cuda::tiles {
namespace {

using Op = __nv_fp8_e4m3;

template <typename Weights>
void by_three(const Launch& launch, const Product& product, const TileWay& way,
              const TilePlan& plan, const Weights& weights) {
  if (product.gate) {
    return launch_many<Op, Warpgroups<3>, true>(launch, product, way, plan, weights);
  }
  launch_many<Op, Warpgroups<3>, false>(launch, product, way, plan, weights);
}

}  // namespace

void multiply_many(const Launch& launch, const Product& product, const TileWay& way,
                   const TilePlan& plan) {
  if (product.group_scales == nullptr) return by_three(launch, product, way, plan, RowWeights());
  const GroupWeights weights{product.group_scales,
                             static_cast<std::int32_t>(int4_copy_scales(product.columns))};
  if (way.rows == kManyRows) return by_three(launch, product, way, plan, weights);
  launch_many<Op, Warpgroups<2>, false>(launch, product, way, plan, weights);
}

}  // namespace hangar::cuda::tiles
