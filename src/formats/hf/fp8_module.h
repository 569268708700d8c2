// A linear layer whose weight is stored as FP8 numbers with scales beside it.
//
// Promise: an F8_E4M3 view of the file's own bytes, with the scales as a grid: for the tensor, for
//   each output, or for blocks of `block_rows` x `block_columns`.
// Errors: kCorrupt where weight and scales do not fit together; kUnsupported: another FP8 type.
// Threads: pure functions.
#pragma once

#include <optional>

#include "base/result.h"
#include "formats/hf/module_tensors.h"
#include "tensor/tensor_view.h"

namespace hangar::hf {

struct BlockShape {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
};

// Whether the module's weight is FP8 of any type.
bool has_fp8_weight(const ModuleTensors& parts);

// The view without data and scales.
Result<TensorView> describe_fp8(const ModuleTensors& parts);

// `scale` names the tensor of scales, which multiply. With `blocks` it has one scale for each; else
// one for all, or one for each output.
Result<TensorView> read_fp8(const ModuleTensors& parts, std::string_view scale,
                            std::optional<BlockShape> blocks);

}  // namespace hangar::hf
