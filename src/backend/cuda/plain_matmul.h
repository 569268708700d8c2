// Plain products: what no faster way takes.
//
// Promise: y = x W^T or += in float32, sums in float32; nothing gated. Two ways:
//   - direct: up to 8 rows, weights straight to registers, by the matrix units; rows of W and x at
//     multiples of 16 bytes.
//   - scalar: any sizes, strides, alignments and numbers of rows. A weight of one row may be
//   float32
//     here. A row's result does not depend on the other rows.
// Shapes: as Product.
// Errors: CudaError.
// Threads: as Backend.
#pragma once

#include <cstdint>

#include "backend/cuda/launch.h"
#include "backend/cuda/product.h"

namespace hangar::cuda {

inline constexpr std::int64_t kMostDirectRows = 8;

bool can_multiply_directly(const Product& product);
void direct_matmul(const Launch& launch, const Product& product);
void scalar_matmul(const Launch& launch, const Product& product);

}  // namespace hangar::cuda
