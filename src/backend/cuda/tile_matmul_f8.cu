// Tile products of FP8.
#include "backend/cuda/tile_kernel.cuh"

namespace hangar::cuda::tiles {

void multiply_f8(const Launch& launch, const Product& product, const TileWay& way,
                 const TilePlan& plan) {
  if (product.type == DType::kBF16) {
    launch_tile_product<__nv_fp8_e4m3, __nv_bfloat16>(launch, product, way, plan);
  } else {
    launch_tile_product<__nv_fp8_e4m3, __half>(launch, product, way, plan);
  }
}

}  // namespace hangar::cuda::tiles
