#include "backend/cuda/int4_tile_halves.cuh"

#include "backend/cuda/int4_kernels.h"

namespace hangar::cuda::int4 {

bool takes_halves(const Product& product, const Int4Way& way, const Int4Plan& plan) {
  using Sizes = HalvesSizes;
  return layout_of(*product.int4) == Layout::kGroup128 &&
         int4_tile_rows(product.rows) == Sizes::kWidth && way.parts == 2 && way.per_slot == 1 &&
         way.strips <= Sizes::kStrips && way.memory_kib * 1024 >= Sizes::kBytes &&
         plan.blocks % (way.split * Sizes::kTurn) == 0;
}

void multiply_halves(const Launch& launch, const Product& product, const Int4Way& way,
                     const Int4Plan& plan) {
  if (product.gate) return launch_halves<true>(launch, product, way, plan);
  launch_halves<false>(launch, product, way, plan);
}

}  // namespace hangar::cuda::int4
