#include "backend/cuda/int4_few.cuh"

#include "backend/cuda/int4_kernels.h"

namespace hangar::cuda::int4 {
namespace {

template <Layout kLayout, bool kGated>
void launch_few(const Launch& launch, const Product& product, const Int4Way& way,
                const Int4Plan& plan) {
  FewArguments a;
  a.strips = way.strips;
  a.parts = way.parts;
  a.per_slot = way.per_slot;
  a.blocks = plan.blocks;
  a.chunks = plan.chunks;
  a.tiles = plan.tiles;
  a.slots = plan.slots;
  a.slot_bytes = plan.slot_bytes;
  a.zeros = *product.int4 == Int4Form::kZero32;
  a.x = static_cast<const std::byte*>(product.x);
  a.y = OutputTarget(product);
  a.gate = product.gate.value_or(GateFunction::kSilu);
  const CUtensorMap weight =
      strip_boxes(product.weight, product.outputs / kInt4Strip, plan.blocks, kBlockBytes<kLayout>,
                  kGated ? int4_bytes(*product.int4, product.outputs, product.columns) : 0,
                  way.strips, way.per_slot);
  const auto kernel = few_kernel<kLayout, kGated>;
  constexpr int kMostShared = 226 << 10;
  HANGAR_CUDA(
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kMostShared));
  const int blocks = std::min(launch.processors, plan.tiles);
  launch_kernel(launch, kernel, dim3(static_cast<unsigned>(blocks)),
                dim3(static_cast<unsigned>(32 * (way.strips * way.parts + 1))),
                static_cast<std::size_t>(plan.shared_bytes), weight, a);
}

template <Layout kLayout>
void launch_few(const Launch& launch, const Product& product, const Int4Way& way,
                const Int4Plan& plan) {
  if (product.gate) return launch_few<kLayout, true>(launch, product, way, plan);
  launch_few<kLayout, false>(launch, product, way, plan);
}

}  // namespace

void multiply_few(const Launch& launch, const Product& product, const Int4Way& way,
                  const Int4Plan& plan) {
  switch (layout_of(*product.int4)) {
    case Layout::kGroup128:
      return launch_few<Layout::kGroup128>(launch, product, way, plan);
    case Layout::kPairs32:
      return launch_few<Layout::kPairs32>(launch, product, way, plan);
    case Layout::kSuper32:
      return launch_few<Layout::kSuper32>(launch, product, way, plan);
  }
}

}  // namespace hangar::cuda::int4
