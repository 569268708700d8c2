// Tile products of FP8.
#include "backend/cuda/tile_kernel.cuh"

namespace hangar::cuda::tiles {

void multiply_f8(const Launch& launch, const Product& product, const TileWay& way,
                 const TilePlan& plan) {
  launch_tile_product<__nv_fp8_e4m3>(launch, product, way, plan);
}

}  // namespace hangar::cuda::tiles
