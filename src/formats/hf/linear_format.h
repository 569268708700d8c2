// LinearFormat: how a folder stores the weight of a linear layer that is not plain numbers.
//
// Promise: make_linear_format reads config.json's quantization_config (of older checkpoints the
//   object of quantize_config.json or quant_config.json) and gives the reader of what it names: AWQ
//   (gemm), GPTQ (v1, v2, act-order), compressed-tensors (pack-quantized; float-quantized) and FP8
//   (per tensor, per channel, blocks). read() brings a module to a canonical form (Int4G32,
//   Int8G32, F8E4M3 with scales) whose values equal what the format's own Python reader
//   dequantizes, computed in float32.
// Shapes: {out_features, in_features}.
// Errors: kUnsupported for a method or an option that is not read, by its name and with the way out
//   (bitsandbytes among them); kCorrupt where the module's tensors do not fit together.
// Threads: const and thread-safe.
#pragma once

#include <boost/json.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "formats/hf/raw_tensors.h"
#include "tensor/tensor_view.h"

namespace hangar::hf {

class LinearFormat {
 public:
  virtual ~LinearFormat() = default;
  // "AWQ int4, groups of 128": for logs and `hangar models`.
  virtual std::string description() const = 0;
  // Whether `module` ("model.layers.0.self_attn.q_proj") is stored in this format; else it has a
  // plain ".weight".
  virtual bool holds(const RawTensors& tensors, std::string_view module) const = 0;
  // The dtype and shape that read() gives, without its data.
  virtual Result<TensorView> describe(const RawTensors& tensors, std::string_view module) const = 0;
  virtual Result<TensorView> read(const RawTensors& tensors, std::string_view module) const = 0;
};

Result<std::unique_ptr<const LinearFormat>> make_linear_format(
    const boost::json::object& quantization_config);

}  // namespace hangar::hf
