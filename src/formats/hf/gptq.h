// GPTQ checkpoints: 4 or 8 bits, a scale and a zero point for each group of inputs, the groups
// perhaps in an order of their own (act-order).
//
// Promise: reads qweight [in / 8, out], qzeros [groups, out / 8], scales [groups, out] (a quarter
//   instead of an eighth at 8 bits) and g_idx [in], each input's group, as GPTQModel's TorchLinear
//   dequantizes them. Checkpoint format "gptq" stores zero points less one, "gptq_v2" as they are.
//   With act-order the columns come sorted by group, with TensorView::input_order.
// Errors: as LinearFormat. Threads: const and thread-safe.
#pragma once

#include "formats/hf/linear_format.h"

namespace hangar::hf {

Result<std::unique_ptr<const LinearFormat>> make_gptq_format(
    const boost::json::object& quantization_config);

}  // namespace hangar::hf
