#include "formats/hf/fp8.h"

#include "formats/hf/fields.h"
#include "formats/hf/fp8_module.h"
#include "formats/hf/quantization_config.h"

namespace hangar::hf {
namespace {

class Fp8Format final : public LinearFormat {
 public:
  Fp8Format(std::string name, std::optional<BlockShape> blocks)
      : name_(std::move(name)), blocks_(blocks) {}

  std::string description() const override {
    const std::string shape =
        blocks_ ? fmt::format(", blocks of {} x {}", blocks_->rows, blocks_->columns) : "";
    return fmt::format("{} e4m3{}; activations by the backend", name_, shape);
  }
  bool holds(const RawTensors& tensors, std::string_view module) const override {
    return has_fp8_weight(ModuleTensors(tensors, module));
  }
  Result<TensorView> describe(const RawTensors& tensors, std::string_view module) const override {
    HANGAR_TRY(TensorView view, read(tensors, module));
    view.data = {};
    view.scales = nullptr;
    return view;
  }
  Result<TensorView> read(const RawTensors& tensors, std::string_view module) const override {
    const ModuleTensors parts(tensors, module);
    const bool inverse_name = blocks_ || parts.find("weight_scale_inv") != nullptr;
    return read_fp8(parts, inverse_name ? "weight_scale_inv" : "weight_scale", blocks_);
  }

 private:
  std::string name_;
  std::optional<BlockShape> blocks_;
};

}  // namespace

Result<std::unique_ptr<const LinearFormat>> make_fp8_format(
    const boost::json::object& quantization_config) {
  const Fields fields = quantization_fields(quantization_config);
  HANGAR_CHECK_OK(require_text(fields, "fmt", {"e4m3"}));
  HANGAR_CHECK_OK(require_text(fields, "weight_format", {"e4m3", "float8_e4m3fn"}));
  HANGAR_CHECK_OK(require_text(fields, "activation_scheme", {"dynamic", "static"}));
  std::optional<BlockShape> blocks;
  HANGAR_TRY(const auto size, fields.integers("weight_block_size", 1, 1 << 20));
  if (size) {
    if (size->size() != 2) return fields.wrong("weight_block_size", "rows and columns");
    blocks = BlockShape{(*size)[0], (*size)[1]};
  }
  return std::make_unique<Fp8Format>("FP8", blocks);
}

Result<std::unique_ptr<const LinearFormat>> make_fbgemm_fp8_format(
    const boost::json::object& /*nothing in it changes the weights*/) {
  return std::make_unique<Fp8Format>("FBGEMM FP8", std::nullopt);
}

}  // namespace hangar::hf
