// Rows in FP8 (e4m3), each with a scale of its own, made on the card.
//
// Promise: row r of what comes in is scales[r] times row r of `out`, rounded to nearest, the
//   largest magnitude of the row at e4m3's own (448); a row of zeros has scale 0 and zeros. A row's
//   result depends on that row alone.
// Shapes: x {rows, columns}, float32 or a type of 16 bits; out {rows, columns} bytes, rows
//   out_stride apart; scales [rows].
// Errors: CudaError; std::invalid_argument for other types.
// Threads: one (the step thread); may be captured in a graph.
#pragma once

#include <cstdint>

#include "backend/cuda/launch.h"
#include "tensor/activation.h"
#include "tensor/gate_function.h"

namespace hangar::cuda {

struct QuantizedRows {
  void* data = nullptr;  // e4m3
  std::int64_t stride = 0;
  float* scales = nullptr;
};

void quantize_rows(const Launch& launch, const QuantizedRows& out, Activation x);
// Of an RMS norm of x, as rms_norm() without its rounding.
void quantize_normed_rows(const Launch& launch, const QuantizedRows& out, Activation x,
                          const float* weight, float eps);
// Of f(gate) * up, as gate_mul() without its rounding; f: as Gate::knows().
void quantize_gated_rows(const Launch& launch, const QuantizedRows& out, Activation gate,
                         Activation up, GateFunction f);

}  // namespace hangar::cuda
