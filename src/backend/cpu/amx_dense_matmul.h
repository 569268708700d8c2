// Matrix product of BF16 weights and activations rounded to bf16, by AMX tiles.
//
// Promise: y[row * y_stride + o] = sum of w[o] * x.high[row], and of w[o] * x.low[row] with `low`,
//   in float32: blocks of 32 columns in order, each as TDPBF16PS sums it (even and odd columns
//   apart; subnormal numbers count as zero). One row is computed as many are: a row of y depends on
//   its row of x alone, bit for bit.
// Shapes: outputs of panels [first_panel, end_panel) for x's rows [first_row, end_row); first_row a
//   multiple of 16. Outputs beyond w.rows are not written.
// Errors: only where instruction_set.h says kAmx and a TileScope of this thread holds kBf16.
// Threads: may run for different panels or rows at once.
#pragma once

#include <cstdint>

#include "backend/cpu/bf16_rows.h"
#include "backend/cpu/dense_panels.h"

namespace hangar::cpu {

void amx_dense_matmul(const DensePanels& w, std::int64_t first_panel, std::int64_t end_panel,
                      const Bf16Rows& x, bool low, std::int64_t first_row, std::int64_t end_row,
                      float* y, std::int64_t y_stride);

}  // namespace hangar::cpu
