// compressed-tensors checkpoints (LLM Compressor, AutoFP8's successors): groups of modules, each
// with a scheme of its own.
//
// Promise: reads what `compressed_tensors` decompresses: pack-quantized 4 and 8 bits
// (weight_packed,
//   weight_scale, packed weight_zero_point, weight_g_idx), int-quantized (an int8 weight) and
//   float-quantized (FP8), per group, channel, tensor, and block for FP8. Modules are told by
//   targets and ignore: exact names, then "re:" expressions, then classes ("Linear", "Embedding").
//   How activations are kept is the backend's matter: what the file asks of them is not read.
// Errors: as LinearFormat. Threads: const and thread-safe.
#pragma once

#include "formats/hf/linear_format.h"

namespace hangar::hf {

Result<std::unique_ptr<const LinearFormat>> make_compressed_tensors_format(
    const boost::json::object& quantization_config);

}  // namespace hangar::hf
