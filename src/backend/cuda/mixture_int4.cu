#include "backend/cuda/mixture_product.cuh"

namespace hangar::cuda::mixture {
namespace {

template <int4::Layout kLayout>
void multiply(const Launch& launch, const ProductArguments& a, DType type, bool gated, int tiles,
              unsigned most) {
  if (type == DType::kBF16) {
    using Strip = Int4Columns<__nv_bfloat16, kLayout>;
    return launch_product<__nv_bfloat16, Strip>(launch, a, gated, tiles, most);
  }
  launch_product<__half, Int4Columns<__half, kLayout>>(launch, a, gated, tiles, most);
}

}  // namespace

void multiply_int4(const Launch& launch, const ProductArguments& a, DType type, Int4Form form,
                   bool gated, int tiles, unsigned most) {
  switch (int4::layout_of(form)) {
    case int4::Layout::kGroup128:
      return multiply<int4::Layout::kGroup128>(launch, a, type, gated, tiles, most);
    case int4::Layout::kPairs32:
      return multiply<int4::Layout::kPairs32>(launch, a, type, gated, tiles, most);
    case int4::Layout::kSuper32:
      return multiply<int4::Layout::kSuper32>(launch, a, type, gated, tiles, most);
  }
}

}  // namespace hangar::cuda::mixture
