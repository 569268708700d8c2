// Matrix product of integer weights and 8-bit activations: what most of a step's time goes into.
//
// Promise: y = sum over groups of scale_w * scale_x * (integer dot product) + offset * scaled_sum,
//   groups in order, the integer part exact. A row of y depends on its row of x alone, bit for bit,
//   however many rows are computed at once.
// Shapes: computes the 16 outputs of one panel for x's rows [first_row, end_row): y[row * y_stride
//   + panel * 16 + lane], lanes beyond w.rows not written. x.columns = w.columns. With `accumulate`
//   the product is added to what y holds.
// Threads: may run for different panels or rows at once.
#pragma once

#include <cstdint>

#include "backend/cpu/int_panels.h"
#include "backend/cpu/quantized_rows.h"

namespace hangar::cpu {

void int_matmul_panel(const IntPanels& w, std::int64_t panel, const QuantizedRows& x,
                      std::int64_t first_row, std::int64_t end_row, float* y, std::int64_t y_stride,
                      bool accumulate);

}  // namespace hangar::cpu
