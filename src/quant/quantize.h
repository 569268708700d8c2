// From floats to stored numbers, one row at a time.
//
// Promise: quantize_row writes row_bytes(dtype, elements) bytes, equal to what the `gguf` Python
//   package (and ggml's reference) makes of the same finite floats. Scales that overflow a half
//   become infinite, as there.
// Shapes: `elements` is a multiple of the dtype's block; `out` may be unaligned.
// Errors: can_quantize is false for the types it does not write (the K and IQ4 types, MXFP4,
// F8_E4M3, INT4_G32, INT8_G32,
//   I32); quantize_row
//   then writes nothing.
// Threads: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace hangar {

bool can_quantize(DType dtype);
void quantize_row(DType dtype, const float* in, std::byte* out, std::int64_t elements);

}  // namespace hangar
