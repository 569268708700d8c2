#include "backend/cuda/int4_tile_halves.cuh"

#include "backend/cuda/int4_kernels.h"

namespace hangar::cuda::int4 {

bool takes_halves(const Product& product, const Int4Way& way, const Int4Plan& plan) {
  const auto fits = [&]<int kWidth, int kSets>(HalvesSizes<kWidth, kSets>) {
    using Sizes = HalvesSizes<kWidth, kSets>;
    return int4_tile_rows(product.rows) == kWidth && way.strips <= Sizes::kStrips &&
           way.memory_kib * 1024 >= Sizes::kBytes && plan.blocks % (way.split * Sizes::kTurn) == 0;
  };
  return layout_of(*product.int4) == Layout::kGroup128 && way.parts == 2 && way.per_slot == 1 &&
         (fits(HalvesSizes<128, 1>()) || fits(HalvesSizes<64, 1>()) || fits(HalvesSizes<64, 2>()));
}

void multiply_halves(const Launch& launch, const Product& product, const Int4Way& way,
                     const Int4Plan& plan) {
  if (int4_tile_rows(product.rows) == 64) return multiply_halves_64(launch, product, way, plan);
  using Sizes = HalvesSizes<128, 1>;
  if (product.gate) return launch_halves<true, Sizes>(launch, product, way, plan);
  launch_halves<false, Sizes>(launch, product, way, plan);
}

}  // namespace hangar::cuda::int4
