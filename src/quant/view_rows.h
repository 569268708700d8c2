// Rows of a TensorView to floats, with all that a view can carry: scales and an order of inputs.
//
// Promise: dequantize_view_row writes view.columns() floats, the weights of input features 0, 1, ..
//   in this order, whatever order they are stored in: dequantize_row, times view.scales, each at
//   its place in view.input_order.
// Shapes: 0 <= row < view.rows(); the view has been checked (check_weight_view).
// Errors: none.
// Threads: a pure function.
#pragma once

#include <cstdint>

#include "tensor/tensor_view.h"

namespace hangar {

void dequantize_view_row(const TensorView& view, std::int64_t row, float* out);

}  // namespace hangar
