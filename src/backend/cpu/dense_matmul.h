// Matrix product of floating-point weights, as the file has them, and float32 activations.
//
// Promise: y[row * y_stride + o] = sum over columns of w[o] * x[row] in float32, for outputs
//   [first_output, end_output) and rows [first_row, end_row). A row of y depends on its row of x
//   alone, bit for bit.
// Threads: may run for different outputs or rows at once.
#pragma once

#include <cstdint>

#include "tensor/dtype.h"

namespace hangar::cpu {

struct DenseMatrix {
  DType dtype = DType::kF32;  // F32, F16 or BF16
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  const void* data = nullptr;  // aligned to its element
};

void dense_matmul(const DenseMatrix& w, std::int64_t first_output, std::int64_t end_output,
                  const float* x, std::int64_t first_row, std::int64_t end_row, float* y,
                  std::int64_t y_stride);

}  // namespace hangar::cpu
