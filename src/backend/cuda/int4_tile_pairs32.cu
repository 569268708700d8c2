#include "backend/cuda/int4_tile_launch.cuh"

namespace hangar::cuda::int4 {

void multiply_pairs32(const Launch& launch, const Product& product, const Int4Way& way,
                      const Int4Plan& plan) {
  launch_tile_product<Layout::kPairs32>(launch, product, way, plan);
}

}  // namespace hangar::cuda::int4
