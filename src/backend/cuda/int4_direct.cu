#include "backend/cuda/int4_direct.cuh"

#include "backend/cuda/int4_kernels.h"

namespace hangar::cuda::int4 {
namespace {

template <typename T, Layout kLayout, int kRows>
void launch_direct(const Launch& launch, const Product& product, const Int4Way& way,
                   const Int4Plan& plan) {
  DirectArguments a;
  a.strips = way.strips;
  a.parts = way.parts;
  a.gated = product.gate.has_value();
  a.per_slot = way.per_slot;
  a.blocks = plan.blocks;
  a.chunks = plan.chunks;
  a.tiles = plan.tiles;
  a.slots = plan.slots;
  a.slot_bytes = plan.slot_bytes;
  a.under_way = slots_under_way(plan.slots, plan.slot_bytes, kInt4BytesUnderWay);
  a.zeros = *product.int4 == Int4Form::kZero32;
  a.x = direct::Source(product);
  a.y = OutputTarget(product);
  a.gate = product.gate.value_or(GateFunction::kSilu);
  const CUtensorMap weight =
      strip_boxes(product.weight, product.outputs / kInt4Strip, plan.blocks, kBlockBytes<kLayout>,
                  product.gate ? int4_bytes(*product.int4, product.outputs, product.columns) : 0,
                  way.strips, way.per_slot);
  const auto kernel = direct_kernel<T, kLayout, kRows>;
  constexpr int kMostShared = 226 << 10;
  HANGAR_CUDA(
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kMostShared));
  const int blocks = std::min(launch.processors, plan.tiles);
  launch_kernel(launch, kernel, dim3(static_cast<unsigned>(blocks)),
                dim3(static_cast<unsigned>(32 * (way.strips * way.parts + 1))),
                static_cast<std::size_t>(plan.shared_bytes), weight, a);
}

template <typename T, Layout kLayout>
void launch_direct(const Launch& launch, const Product& product, const Int4Way& way,
                   const Int4Plan& plan) {
  if (product.rows == 1) return launch_direct<T, kLayout, 1>(launch, product, way, plan);
  launch_direct<T, kLayout, 2>(launch, product, way, plan);
}

template <typename T>
void launch_direct(const Launch& launch, const Product& product, const Int4Way& way,
                   const Int4Plan& plan) {
  switch (layout_of(*product.int4)) {
    case Layout::kGroup128:
      return launch_direct<T, Layout::kGroup128>(launch, product, way, plan);
    case Layout::kPairs32:
      return launch_direct<T, Layout::kPairs32>(launch, product, way, plan);
    case Layout::kSuper32:
      return launch_direct<T, Layout::kSuper32>(launch, product, way, plan);
  }
}

}  // namespace

void multiply_direct(const Launch& launch, const Product& product, const Int4Way& way,
                     const Int4Plan& plan) {
  if (!direct::can_read(product) || product.columns % 32 != 0) {
    throw std::invalid_argument("inputs of 4-bit weights: rows at 16 bytes, columns by 32");
  }
  if (product.type == DType::kF16) return launch_direct<__half>(launch, product, way, plan);
  launch_direct<__nv_bfloat16>(launch, product, way, plan);
}

}  // namespace hangar::cuda::int4
