// Matrix product of integer weights and 8-bit activations: what most of a step's time goes into.
//
// Promise: y = sum over groups of scale_w * scale_x * (integer dot product) + offset * scaled_sum,
//   groups in order, the integer part exact. A row of y depends on its row of x alone, bit for bit,
//   however many rows and panels are computed at once, and whichever extension of an instruction
//   set computes them.
// Shapes: computes the outputs of panels [first_panel, end_panel) for x's rows [first_row,
//   end_row): y[row * y_stride + panel * 16 + lane], lanes beyond w.rows not written. x.columns =
//   w.columns. With `accumulate` the product is added to what y holds. Two panels at once are
//   quicker than one after the other where registers are wide: hand out even numbers of them.
// Threads: may run for different panels or rows at once.
#pragma once

#include <cstdint>

#include "backend/cpu/int_panels.h"
#include "backend/cpu/quantized_rows.h"

namespace hangar::cpu {

struct IntProduct {
  const IntPanels& w;
  std::int64_t first_panel;
  std::int64_t end_panel;
  const QuantizedRows& x;
  std::int64_t first_row;
  std::int64_t end_row;
  float* y;
  std::int64_t y_stride;
  bool accumulate = false;
};

void int_matmul(const IntProduct& product);

// The same, compiled for an extension of an instruction set: only where instruction_set.h has it.
void int_matmul_avx_vnni(const IntProduct& product);
void int_matmul_arm_dot(const IntProduct& product);
void int_matmul_arm_i8mm(const IntProduct& product);

}  // namespace hangar::cpu
