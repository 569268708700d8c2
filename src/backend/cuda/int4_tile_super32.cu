#include "backend/cuda/int4_tile_launch.cuh"

namespace hangar::cuda::int4 {

void multiply_super32(const Launch& launch, const Product& product, const Int4Way& way,
                      const Int4Plan& plan) {
  launch_tile_product<Layout::kSuper32>(launch, product, way, plan);
}

}  // namespace hangar::cuda::int4
