// From stored numbers to floats, one row at a time.
//
// Promise: dequantize_row writes `elements` floats, equal bit for bit (NaN payloads aside) to what
//   the `gguf` Python package gives for the same bytes; INT4_G32 and INT8_G32 as dtype.h defines
//   them, F8_E4M3 without its scales (view_rows.h applies them). It is the plain form that others
//   are held to.
// Shapes: `elements` is a multiple of the dtype's block; `blocks` holds row_bytes(dtype, elements)
//   bytes, at any alignment.
// Errors: none. I32 is converted number by number.
// Threads: a pure function.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace hangar {

void dequantize_row(DType dtype, const std::byte* blocks, float* out, std::int64_t elements);

}  // namespace hangar
