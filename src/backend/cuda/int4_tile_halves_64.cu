#include "backend/cuda/int4_kernels.h"
#include "backend/cuda/int4_tile_halves.cuh"

namespace hangar::cuda::int4 {
namespace {

template <typename Sizes>
void launch_sets(const Launch& launch, const Product& product, const Int4Way& way,
                 const Int4Plan& plan) {
  if (product.gate) return launch_halves<true, Sizes>(launch, product, way, plan);
  launch_halves<false, Sizes>(launch, product, way, plan);
}

}  // namespace

void multiply_halves_64(const Launch& launch, const Product& product, const Int4Way& way,
                        const Int4Plan& plan) {
  if (way.strips > kInt4HalfStrips) {
    return launch_sets<HalvesSizes<64, 2>>(launch, product, way, plan);
  }
  launch_sets<HalvesSizes<64, 1>>(launch, product, way, plan);
}

}  // namespace hangar::cuda::int4
