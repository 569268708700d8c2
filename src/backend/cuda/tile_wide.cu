// Gated tile products of many rows by two blocks.
#include "backend/cuda/tile_wide.cuh"

namespace hangar::cuda::tiles {

void multiply_wide(const Launch& launch, const Product& product, const TileWay& way,
                   const TilePlan& plan) {
  if (product.x_type() == DType::kF8E4M3) {
    return launch_wide<__nv_fp8_e4m3>(launch, product, way, plan);
  }
  if (product.type == DType::kBF16) return launch_wide<__nv_bfloat16>(launch, product, way, plan);
  launch_wide<__half>(launch, product, way, plan);
}

}  // namespace hangar::cuda::tiles
