// The tensors that a config calls for, without their data: a model's shape (--load dummy).
//
// Promise: list_dummy_tensors lists what map_tensors would of a folder with plain weights: the same
//   names in the same order, with the same shapes; matrices of `matrices`, vectors F32.
//   read_weight_type is config.json's torch_dtype (or dtype), BF16 where it has none.
// Errors: list_dummy_tensors: kUnsupported for more experts in all than a model can have; `file` is
//   the folder, for messages. read_weight_type: kUnsupported for another type than BF16, F16, F32.
// Threads: pure functions.
#pragma once

#include <string_view>

#include "base/result.h"
#include "formats/hf/fields.h"
#include "formats/hf/model_types.h"
#include "formats/hf/tensor_map.h"
#include "tensor/dtype.h"

namespace hangar::hf {

Result<MappedModel> list_dummy_tensors(const FolderConfig& config, DType matrices,
                                       std::string_view file);

Result<DType> read_weight_type(const Fields& config);

}  // namespace hangar::hf
