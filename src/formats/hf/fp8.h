// FP8 checkpoints: quant_method "fp8" (DeepSeek's blocks, or one scale a tensor) and "fbgemm_fp8"
// (one scale an output).
//
// Promise: weight (o, i) is the stored number times its scale: weight_scale_inv, which despite its
//   name multiplies, for blocks of weight_block_size; weight_scale or weight_scale_inv for the
//   tensor; weight_scale [out, 1] for fbgemm. How activations are kept is the backend's matter:
//   what the file asks of them is not read.
// Errors: as LinearFormat. Threads: const and thread-safe.
#pragma once

#include "formats/hf/linear_format.h"

namespace hangar::hf {

Result<std::unique_ptr<const LinearFormat>> make_fp8_format(
    const boost::json::object& quantization_config);
Result<std::unique_ptr<const LinearFormat>> make_fbgemm_fp8_format(
    const boost::json::object& quantization_config);

}  // namespace hangar::hf
