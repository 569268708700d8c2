// Launches of int4_tile.cuh's kernel.
//
// Promise: launch_tile_product<layout>() is int4_matmul() for more than a few rows.
// Threads: as int4_matmul().
#pragma once

#include "backend/cuda/int4_kernels.h"
#include "backend/cuda/int4_tile.cuh"

namespace hangar::cuda::int4 {

template <Layout kLayout, int kWidth, int kHalves, bool kGated>
void launch_tiles(const Launch& launch, const Product& product, const Int4Way& way,
                  const Int4Plan& plan) {
  TileArguments a;
  a.strips = way.strips;
  a.both = way.parts == 2;
  a.per_slot = way.per_slot;
  a.blocks = plan.blocks;
  a.items = {plan.tiles, plan.x_tiles, way.split, plan.chunks / way.split};
  a.slots = plan.slots;
  a.slot_bytes = plan.slot_bytes;
  a.zeros = *product.int4 == Int4Form::kZero32;
  a.x_sums = product.x_sums;
  a.out = TileOutput(product);
  const std::int64_t row_bytes = plan.blocks * kInt4Columns;
  const CUtensorMap weight =
      strip_boxes(product.weight, product.outputs / kInt4Strip, plan.blocks, kBlockBytes<kLayout>,
                  kGated ? int4_bytes(*product.int4, product.outputs, product.columns) : 0,
                  kGated ? way.strips : plan.tile_strips, way.per_slot);
  const CUtensorMap x =
      matrix_boxes(product.x, product.rows, row_bytes, product.x_stride, kWidth, way.per_slot);
  using Block = TileBlock<kWidth, kHalves>;
  const auto kernel = tile_kernel<kLayout, kWidth, kHalves, kGated>;
  constexpr int kMostShared = 226 << 10;
  HANGAR_CUDA(
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kMostShared));
  const int at_once = way.memory_kib <= kMostShared / 2048 ? Block::kAtOnce : 1;
  const int blocks = std::min(launch.processors * at_once, a.items.count());
  launch_kernel(launch, kernel, dim3(static_cast<unsigned>(blocks)), dim3(Block::kThreads),
                static_cast<std::size_t>(plan.shared_bytes), weight, x, a);
}

template <Layout kLayout, bool kGated>
void launch_width(const Launch& launch, const Product& product, const Int4Way& way,
                  const Int4Plan& plan) {
  const bool two = way.strips > kInt4HalfStrips;
  switch (int4_tile_rows(product.rows)) {
    case 16:
      return launch_tiles<kLayout, 16, 1, kGated>(launch, product, way, plan);
    case 32:
      return launch_tiles<kLayout, 32, 1, kGated>(launch, product, way, plan);
    case 64:
      if (two) return launch_tiles<kLayout, 64, 2, kGated>(launch, product, way, plan);
      return launch_tiles<kLayout, 64, 1, kGated>(launch, product, way, plan);
    default:
      if (two) return launch_tiles<kLayout, 128, 2, kGated>(launch, product, way, plan);
      return launch_tiles<kLayout, 128, 1, kGated>(launch, product, way, plan);
  }
}

template <Layout kLayout>
void launch_tile_product(const Launch& launch, const Product& product, const Int4Way& way,
                         const Int4Plan& plan) {
  if (product.gate) return launch_width<kLayout, true>(launch, product, way, plan);
  launch_width<kLayout, false>(launch, product, way, plan);
}

}  // namespace hangar::cuda::int4
