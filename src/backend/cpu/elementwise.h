// The operations that touch each element once, on one row.
//
// Promise: as Backend's operations of the same names; `n` elements, any n. Results of a row depend
//   on that row alone.
// Threads: may run for different rows at once.
#pragma once

#include <cstdint>

#include "tensor/gate_function.h"

namespace hangar::cpu {

void rms_norm_row(float* out, const float* x, const float* weight, std::int64_t n, float eps);
void gate_mul_row(float* out, const float* gate, const float* up, std::int64_t n, GateFunction f);
void scale_row(float* x, float factor, std::int64_t n);
void softcap_row(float* x, float cap, std::int64_t n);
void add_row(float* x, const float* y, std::int64_t n);
// x += weight * y, of Backend::scatter_add_rows.
void add_scaled_row(float* x, const float* y, float weight, std::int64_t n);

}  // namespace hangar::cpu
