// One module of a compressed-tensors folder, by its scheme.
//
// Promise: describe_compressed and read_compressed as LinearFormat's describe and read;
//   is_compressed: whether the module's tensors are there in the scheme's form.
// Errors: kCorrupt where they do not fit together.
// Threads: pure functions.
#pragma once

#include "base/result.h"
#include "formats/hf/compressed_scheme.h"
#include "formats/hf/module_tensors.h"
#include "tensor/tensor_view.h"

namespace hangar::hf {

bool is_compressed(const CompressedScheme& scheme, const ModuleTensors& parts);
Result<TensorView> describe_compressed(const CompressedScheme& scheme, const ModuleTensors& parts);
Result<TensorView> read_compressed(const CompressedScheme& scheme, const ModuleTensors& parts);

}  // namespace hangar::hf
