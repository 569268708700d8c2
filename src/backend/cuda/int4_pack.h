// Int4 packing: a file's 4-bit rows, or numbers, into the strips of int4.h, and back, on the card.
//
// Promise: pack_int4: codes and parameters as they are stored, moved: bit for bit in float32 each
//   number is what dequantize_row gives, as scale * (u - zero) in the forms with a zero, as
//   scale * u + minimum (not fused) in the others; only scales of kInt4G32 that are no F16 are
//   rounded to one (and are infinite beyond F16's range). packed_form() says which types it takes
//   and to what: Q4_0 with zeros of 8, because a minimum of -8 scales would be infinite from 8,190
//   on and would lose the sign of a zero.
//   quantize_int4: round to nearest, each group by its least and greatest number. Forms with a
//   zero: both widened to take in 0, scale = a fifteenth of the range, rounded to F16 first (at
//   most 65,504), zero = the nearest to -least / scale, u = x / scale rounded, plus zero, held in
//   0 to 15. kMin32: minimum = least, rounded. kSuper32: as kMin32, the least widened to 0; scales
//   and minimums in 63rds of a block's largest. A group of zeros has scale, zero and u 0.
//   unpack_int4: each number in float32 as above, rounded once.
// Shapes: rows of `columns` numbers, rows a multiple of 16, columns of 32; stored rows one behind
//   the other. Strips begin at a multiple of 16 bytes, int4_bytes() long. Beyond the columns u is
//   0; there groups have parameters of 0, but kZero128's, which keep those of their own columns.
//   Activations: kF32, kBF16 or kF16, their rows at multiples of 16 bytes.
// Errors: CudaError; std::invalid_argument: other types, forms, sizes or places.
// Threads: any, each with a stream of its own; may be captured in a graph.
#pragma once

#include <cstdint>
#include <optional>

#include "backend/cuda/int4.h"
#include "backend/cuda/launch.h"
#include "tensor/activation.h"
#include "tensor/dtype.h"
#include "tensor/tensor_view.h"

namespace hangar::cuda {

// What the view's own bits become; nullopt: it has not 4 bits, or not in the order of its inputs.
std::optional<Int4Form> packed_form(const TensorView& view);
// That, or what others are quantized to.
inline Int4Form int4_form_for(const TensorView& view) {
  return packed_form(view).value_or(Int4Form::kZero128);
}

// `stored`: on the card, of packed_form()'s type.
void pack_int4(const Launch& launch, Int4Form form, void* strips, const void* stored, DType type,
               std::int64_t rows, std::int64_t columns);
void quantize_int4(const Launch& launch, Int4Form form, void* strips, Activation x);
void unpack_int4(const Launch& launch, Activation out, Int4Form form, const void* strips);

}  // namespace hangar::cuda
