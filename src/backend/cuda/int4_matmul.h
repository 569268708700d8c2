// Products with 4-bit weights: W stays packed as far as the matrix units' registers, on Hopper.
//
// Promise: y = x W^T, or += in float32, or gated, as Product says, sums in float32. One or two
//   rows: inputs of 16 bits, an RMS norm on the way where product.norm says so; few rows (up to
//   kInt4FewRows): int8 inputs with a scale for each 128 columns; in both a warp takes some blocks
//   of a strip of W. More: e4m3 inputs, 64 rows of W to a warpgroup's instruction, rows of x taken
//   up to 128 at a time. W, and x where it is quantized, come through a ring of slots in shared
//   memory that fills with W before the kernel waits for the one before it. The order of a row's
//   sums depends on columns, way and row alone, unless the way splits columns between blocks (y +=
//   only), whose sums are added as they come.
// Shapes: W as int4.h, gated: the gate's strips, then the other's; x as int4_inputs.h; y as
//   Product; outputs a multiple of 16.
// Errors: CudaError.
// Threads: as Backend.
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

#include "backend/cuda/launch.h"
#include "backend/cuda/product.h"

namespace hangar::cuda {

inline constexpr std::int32_t kInt4HalfStrips = 4;

// How a product is cut; strips 0: not by these kernels.
struct Int4Way {
  // Of W. Few rows: in a tile; more: of a warpgroup, up to kInt4HalfStrips or, from 33 rows on and
  // with parts of 2, twice as many.
  std::int32_t strips = 0;
  // Few rows: how many warps share a strip. More: 1: the two warpgroups take turns at the blocks of
  // the same strips, 2: each its own (gated: half the rows of each, or half of the strips).
  std::int32_t parts = 1;
  std::int32_t per_slot = 0;    // blocks of 128 columns
  std::int32_t memory_kib = 0;  // of shared memory, for a block
  std::int32_t split = 1;       // of columns between blocks

  auto operator<=>(const Int4Way&) const = default;
};

bool can_multiply_int4(const Launch& launch, const Product& product);
// Ways worth measuring, the likeliest first. Deterministic: one, the same for every number of rows.
std::vector<Int4Way> int4_ways(const Launch& launch, const Product& product);
// `way`: of int4_ways() of a product of these sizes and, rounded up, as many rows.
void int4_matmul(const Launch& launch, const Product& product, const Int4Way& way);

}  // namespace hangar::cuda
