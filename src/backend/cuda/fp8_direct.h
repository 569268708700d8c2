// FP8 products of one or two rows: W in e4m3, x in 16 bits, on Hopper.
//
// Promise: y = x W^T, or += in float32, or gated, sums in float32; x is not rounded to 8 bits, but
//   multiplied in F16, each 128 columns of a row times a power of two that keeps them in F16's
//   range: exact but for numbers 2^24 below their largest, and a norm's own rounding. W comes
//   through a ring of slots in shared memory that fills before the kernel waits for the one before
//   it. A row's result depends on columns, way and that row alone.
// Shapes: as Product; columns a multiple of 128, outputs any number, gated: of 8. Rows of x at
//   multiples of 16 bytes, the norm's weights too.
// Errors: CudaError; std::invalid_argument for inputs that do not lie so, and other gates.
// Threads: as Backend.
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

#include "backend/cuda/launch.h"
#include "backend/cuda/product.h"

namespace hangar::cuda {

// How a product is cut; strips 0: not by these kernels.
struct Fp8DirectWay {
  std::int32_t strips = 0;      // of 16 rows of W (gated: 8 of each matrix), in a tile
  std::int32_t parts = 1;       // warps that share a strip
  std::int32_t boxes = 0;       // of 128 columns, in a slot
  std::int32_t memory_kib = 0;  // of shared memory, for a block

  auto operator<=>(const Fp8DirectWay&) const = default;
};

// Whether inputs of FP8 weights stay as they are.
bool takes_fp8_direct(const Launch& launch, std::int64_t rows, std::int64_t columns);
// Whether a product's do: it goes this way then, and no other.
bool is_fp8_direct(const Launch& launch, const Product& product);
// And its gate, if there is one.
bool can_multiply_fp8_direct(const Launch& launch, const Product& product);
// Ways worth measuring, the likeliest first.
std::vector<Fp8DirectWay> fp8_direct_ways(const Launch& launch, const Product& product);
// `way`: of fp8_direct_ways() of a product of these sizes.
void fp8_direct_matmul(const Launch& launch, const Product& product, const Fp8DirectWay& way);

}  // namespace hangar::cuda
