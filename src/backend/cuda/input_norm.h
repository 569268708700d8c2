// NormOfInputs: an RMS norm on the way from x to what is multiplied.
//
// Promise: with a weight, rows of x {rows, columns} in float32 are normed before they are rounded
//   or quantized: as rms_norm(), in one kernel with what comes next.
// Shapes: weight [columns].
// Threads: a value.
#pragma once

namespace hangar::cuda {

struct NormOfInputs {
  const float* weight = nullptr;  // nullptr: none
  float eps = 0.0F;
};

}  // namespace hangar::cuda
