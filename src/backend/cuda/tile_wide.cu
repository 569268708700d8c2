// Gated tile products of many rows in 16 bits.
#include "backend/cuda/tile_wide.cuh"

namespace hangar::cuda::tiles {

void multiply_wide(const Launch& launch, const Product& product, const TilePlan& plan) {
  if (product.type == DType::kBF16) return launch_wide<__nv_bfloat16>(launch, product, plan);
  launch_wide<__half>(launch, product, plan);
}

}  // namespace hangar::cuda::tiles
