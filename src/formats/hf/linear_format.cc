#include "formats/hf/linear_format.h"

#include <algorithm>

#include "formats/hf/awq.h"
#include "formats/hf/compressed_tensors.h"
#include "formats/hf/fp8.h"
#include "formats/hf/gptq.h"
#include "formats/hf/quantization_config.h"

namespace hangar::hf {
namespace {

using Maker = Result<std::unique_ptr<const LinearFormat>> (*)(const boost::json::object&);

struct Method {
  std::string_view name;
  Maker make;
};

constexpr Method kMethods[] = {
    {"awq", make_awq_format},
    {"gptq", make_gptq_format},
    {"compressed-tensors", make_compressed_tensors_format},
    {"compressed_tensors", make_compressed_tensors_format},
    {"fp8", make_fp8_format},
    {"fbgemm_fp8", make_fbgemm_fp8_format},
};

// Methods that are known and not read, beside bitsandbytes.
constexpr std::string_view kRefused[] = {
    "aqlm",        "auto-round", "bitnet",   "eetq",  "exl2",  "exl3",
    "fouroversix", "fp_quant",   "gguf",     "hqq",   "higgs", "intel/auto-round",
    "marlin",      "metal",      "modelopt", "mxfp4", "mxfp8", "nvfp4",
    "paroquant",   "qqq",        "quanto",   "quark", "sinq",  "spqr",
    "torchao",     "vptq"};

constexpr std::string_view kWayOut =
    "take a checkpoint of the same model in AWQ, GPTQ, compressed-tensors, FP8 or GGUF, or the "
    "original one";

tl::unexpected<Error> refuse_bitsandbytes(const Fields& fields) {
  const auto kind = fields.text("bnb_4bit_quant_type");
  const auto eight = fields.boolean_or("load_in_8bit", false);
  std::string what = "bitsandbytes";
  if (eight && *eight) {
    what += " int8";
  } else if (kind && *kind) {
    what += fmt::format(" {}", **kind);
  }
  return make_error(ErrorCode::kUnsupported,
                    "{}: 'quantization_config': {} is not read, as its blocks run across rows and "
                    "only its own library unpacks them; {} (transformers writes one: load this, "
                    "model.dequantize(), save_pretrained)",
                    fields.file(), what, kWayOut);
}

// "quant_method"; older files, and the quantize_config.json and quant_config.json beside a
// config.json without one, tell the method by its settings alone.
Result<std::string> read_method(const Fields& fields) {
  for (const std::string_view key : {"quant_method", "method"}) {
    HANGAR_TRY(const auto method, fields.text(key));
    if (method) return std::string(*method);
  }
  if (fields.has("load_in_4bit") || fields.has("load_in_8bit")) return std::string("bitsandbytes");
  if (fields.has("w_bit")) return std::string("awq");
  if (fields.has("desc_act")) return std::string("gptq");
  return fields.missing("quant_method", "a method's name");
}

}  // namespace

Result<std::unique_ptr<const LinearFormat>> make_linear_format(
    const boost::json::object& quantization_config) {
  const Fields fields = quantization_fields(quantization_config);
  HANGAR_TRY(const std::string method, read_method(fields));
  const auto* known = std::ranges::find(kMethods, method, &Method::name);
  if (known != std::end(kMethods)) return known->make(quantization_config);
  if (method.starts_with("bitsandbytes")) return refuse_bitsandbytes(fields);
  const bool refused = std::ranges::find(kRefused, method) != std::end(kRefused);
  return make_error(ErrorCode::kUnsupported,
                    "{}: 'quantization_config.quant_method': '{}' is {}; {}", fields.file(), method,
                    refused ? "not read" : "unknown", kWayOut);
}

}  // namespace hangar::hf
