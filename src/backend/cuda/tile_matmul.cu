#include "backend/cuda/tile_matmul.h"

#include <cassert>
#include <stdexcept>

#include "backend/cuda/tile_kernel.cuh"

namespace hangar::cuda {
namespace tiles {

// tile_matmul_f8.cu
void multiply_f8(const Launch& launch, const Product& product, const TileWay& way,
                 const TilePlan& plan);
// tile_many.cu
void multiply_many(const Launch& launch, const Product& product, const TileWay& way,
                   const TilePlan& plan);
// tile_wide.cu
void multiply_wide(const Launch& launch, const Product& product, const TileWay& way,
                   const TilePlan& plan);

}  // namespace tiles

bool can_tile(const Launch& launch, const Product& product) {
  if (!launch.hopper || product.int4 || product.weight_type != product.x_type()) return false;
  if (product.rows < 1) return false;
  if (product.rows > kMostTileRows && product.x_type() != DType::kF8E4M3 && !suits_wide(product)) {
    return false;
  }
  // By tile_many.cuh alone.
  if (product.group_scales != nullptr && tile_width(product.rows) < kWidestTile) return false;
  if (product.columns % tile_box_columns(product) != 0) return false;
  if (product.gate && (product.outputs % 8 != 0 || !Gate::knows(*product.gate))) return false;
  return rows_aligned(product.weight, product.weight_type, product.columns) &&
         rows_aligned(product.x, product.x_type(), product.x_stride);
}

void tile_matmul(const Launch& launch, const Product& product, const TileWay& way) {
  assert(can_tile(launch, product));
  const TilePlan plan = plan_tiles(product, way);
  if (plan.slots < 1) throw std::invalid_argument("a tile product's slots do not fit");
  if (takes_many(product, way, plan)) {
    return tiles::multiply_many(launch, product, way, plan);
  }
  if (takes_wide(product, way, plan)) return tiles::multiply_wide(launch, product, way, plan);
  if (product.group_scales != nullptr || product.rows > kMostTileRows) {
    throw std::invalid_argument("a tile product of many rows: not by this way");
  }
  if (product.x_type() == DType::kF8E4M3) return tiles::multiply_f8(launch, product, way, plan);
  if (product.type == DType::kBF16) {
    tiles::launch_tile_product<__nv_bfloat16>(launch, product, way, plan);
  } else {
    tiles::launch_tile_product<__half>(launch, product, way, plan);
  }
}

}  // namespace hangar::cuda
