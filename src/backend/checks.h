// Checks that every backend makes of what it is given at load, in one place.
//
// Promise: after check_weight_view the view is a matrix of a floating or quantized type whose data
//   is exactly as long as its shape calls for, with as many scales as its blocks need and an order
//   of inputs that is a permutation; after check_kv_shape every number of it is positive
//   and their product fits std::size_t with room for any element size up to 8 bytes.
// Errors: kUnsupported, kCorrupt, kInvalidArgument, naming the tensor or the field.
// Threads: pure functions.
#pragma once

#include "backend/backend.h"
#include "base/result.h"
#include "tensor/tensor_view.h"

namespace hangar {

Status check_weight_view(const TensorView& view);
Status check_kv_shape(const KvShape& shape);
// rows and columns of scratch: not negative, their bytes do not overflow.
Result<std::size_t> activation_bytes(std::int64_t rows, std::int64_t columns);
// Asserts what sample() is promised: rows of logits and tokens that exist, one result for each.
void assert_sample_rows(Activation logits, std::span<const SampleRow> rows,
                        std::span<const Sampled> out);

}  // namespace hangar
