// Matrix product of floating-point weights in panels and float32 activations.
//
// Promise: y[row * y_stride + o] = sum over columns of w[o] * x[row], one fused multiply-add a
//   column, in order, in float32 (where the processor has them; SSE4 and the baseline round the
//   product first). A row of y depends on its row of x alone, bit for bit.
// Shapes: computes the outputs of panels [first_panel, end_panel) for x's rows [first_row,
//   end_row); outputs beyond w.rows are not written.
// Method: registers hold some rows of x by one or two panels; blocks of columns whose weights stay
//   in the first-level cache while all rows pass by. Sums wait in y between blocks.
// Threads: may run for different panels or rows at once.
#pragma once

#include <cstdint>

#include "backend/cpu/dense_panels.h"

namespace hangar::cpu {

void dense_matmul(const DensePanels& w, std::int64_t first_panel, std::int64_t end_panel,
                  const float* x, std::int64_t first_row, std::int64_t end_row, float* y,
                  std::int64_t y_stride);

// A matrix of a single row, which is no panel: y[row * y_stride] = sum of w * x[row].
void vector_matmul(const float* w, std::int64_t columns, const float* x, std::int64_t first_row,
                   std::int64_t end_row, float* y, std::int64_t y_stride);

}  // namespace hangar::cpu
