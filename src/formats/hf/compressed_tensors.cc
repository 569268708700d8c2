#include "formats/hf/compressed_tensors.h"

#include "formats/hf/compressed_module.h"
#include "formats/hf/compressed_scheme.h"
#include "formats/hf/quantization_config.h"

namespace hangar::hf {
namespace {

class CompressedTensorsFormat final : public LinearFormat {
 public:
  CompressedTensorsFormat(std::vector<CompressedScheme> schemes, std::vector<ModulePattern> ignore)
      : schemes_(std::move(schemes)), ignore_(std::move(ignore)) {}

  std::string description() const override {
    std::string out = "compressed-tensors ";
    bool activations = false;
    for (std::size_t i = 0; i < schemes_.size(); ++i) {
      if (i > 0) out += " and ";
      out += schemes_[i].description();
      activations = activations || schemes_[i].activations;
    }
    if (activations) out += "; activations by the backend";
    return out;
  }

  bool holds(const RawTensors& tensors, std::string_view module) const override {
    const CompressedScheme* scheme = scheme_of(module);
    return scheme != nullptr && is_compressed(*scheme, ModuleTensors(tensors, module));
  }
  Result<TensorView> describe(const RawTensors& tensors, std::string_view module) const override {
    HANGAR_TRY(const CompressedScheme* scheme, find_scheme(module));
    return describe_compressed(*scheme, ModuleTensors(tensors, module));
  }
  Result<TensorView> read(const RawTensors& tensors, std::string_view module) const override {
    HANGAR_TRY(const CompressedScheme* scheme, find_scheme(module));
    return read_compressed(*scheme, ModuleTensors(tensors, module));
  }

 private:
  // The scheme whose targets mean the module most exactly; nullptr: it is stored as it was.
  const CompressedScheme* scheme_of(std::string_view module) const {
    if (match_strength(ignore_, module) > 0) return nullptr;
    const CompressedScheme* best = nullptr;
    int strength = 0;
    for (const CompressedScheme& scheme : schemes_) {
      const int s = match_strength(scheme.targets, module);
      if (s > strength) {
        best = &scheme;
        strength = s;
      }
    }
    return best;
  }
  Result<const CompressedScheme*> find_scheme(std::string_view module) const {
    const CompressedScheme* scheme = scheme_of(module);
    if (scheme != nullptr) return scheme;
    return make_error(ErrorCode::kInvalidArgument, "module '{}' is in no group of compressed ones",
                      module);
  }

  std::vector<CompressedScheme> schemes_;
  std::vector<ModulePattern> ignore_;
};

}  // namespace

Result<std::unique_ptr<const LinearFormat>> make_compressed_tensors_format(
    const boost::json::object& quantization_config) {
  const Fields fields = quantization_fields(quantization_config);
  HANGAR_CHECK_OK(require_text(fields, "quantization_status", {"compressed"}));
  HANGAR_TRY(const auto sparsity, fields.fields("sparsity_config"));
  if (sparsity && sparsity->has("format")) {
    HANGAR_TRY(const auto format, sparsity->text("format"));
    if (format != "dense") {
      return make_error(ErrorCode::kUnsupported,
                        "{}: 'quantization_config.sparsity_config.format': '{}' is not read; save "
                        "the model without sparse compression",
                        fields.file(), *format);
    }
  }
  HANGAR_CHECK_OK(refuse_present(fields, "kv_cache_scheme",
                                 "a quantized KV cache is not read; save the model without it"));
  HANGAR_CHECK_OK(
      refuse_present(fields, "transform_config", "rotations of the weights' inputs are not read"));
  HANGAR_TRY(std::vector<CompressedScheme> schemes, read_schemes(fields));
  HANGAR_TRY(std::vector<ModulePattern> ignore, read_patterns(fields, "ignore"));
  return std::make_unique<CompressedTensorsFormat>(std::move(schemes), std::move(ignore));
}

}  // namespace hangar::hf
