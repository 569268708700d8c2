// AWQ checkpoints in the "gemm" layout: 4 bits, a scale and a zero point for each group of inputs.
//
// Promise: reads qweight [in, out / 8], qzeros [groups, out / 8] and scales [groups, out] as
//   AutoAWQ's WQLinear_GEMM dequantizes them. A word's nibbles, from the lowest on, are outputs 0,
//   2, 4, 6, 1, 3, 5, 7 of its eight.
// Errors: as LinearFormat. Threads: const and thread-safe.
#pragma once

#include "formats/hf/linear_format.h"

namespace hangar::hf {

Result<std::unique_ptr<const LinearFormat>> make_awq_format(
    const boost::json::object& quantization_config);

}  // namespace hangar::hf
