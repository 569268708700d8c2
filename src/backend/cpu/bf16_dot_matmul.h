// Matrix product of BF16 weights and activations rounded to bf16, by AVX512-BF16's dot product.
//
// Promise: y[row * y_stride + o] = sum of w[o] * x.high[row], two columns an instruction (the odd
//   one first), in order, in float32; subnormal numbers count as zero. A row of y depends on its
//   row of x alone, bit for bit.
// Shapes: as dense_matmul's; w is BF16.
// Errors: only where instruction_set.h says kAvxBf16.
// Threads: may run for different panels or rows at once.
#pragma once

#include <cstdint>

#include "backend/cpu/bf16_rows.h"
#include "backend/cpu/dense_panels.h"

namespace hangar::cpu {

void bf16_dot_matmul(const DensePanels& w, std::int64_t first_panel, std::int64_t end_panel,
                     const Bf16Rows& x, std::int64_t first_row, std::int64_t end_row, float* y,
                     std::int64_t y_stride);

}  // namespace hangar::cpu
