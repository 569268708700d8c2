#include "formats/hf/awq.h"

#include "formats/hf/fields.h"
#include "formats/hf/module_tensors.h"
#include "formats/hf/packed_module.h"
#include "formats/hf/quantization_config.h"

namespace hangar::hf {
namespace {

constexpr std::int64_t kOutputsAWord = 8;

// Where a word holds this output of its eight.
unsigned shift_of(std::int64_t output) {
  constexpr unsigned kPlace[kOutputsAWord] = {0, 4, 1, 5, 2, 6, 3, 7};
  return 4U * kPlace[output % kOutputsAWord];
}

class AwqModule final : public PackedModule {
 public:
  void codes(std::int64_t row, std::span<const std::int64_t> inputs,
             std::uint8_t* q) const override {
    const unsigned shift = shift_of(row);
    for (const std::int64_t input : inputs) {
      *q++ = static_cast<std::uint8_t>((qweight.at(input, row / kOutputsAWord) >> shift) & 15U);
    }
  }
  Group32 group(std::int64_t row, std::int64_t g) const override {
    const std::uint32_t zeros = qzeros.at(g, row / kOutputsAWord) >> shift_of(row);
    return {scales[static_cast<std::size_t>(g * rows + row)],
            static_cast<std::int32_t>(zeros & 15U)};
  }

  Words qweight;
  Words qzeros;
  std::vector<float> scales;
};

class AwqFormat final : public LinearFormat {
 public:
  explicit AwqFormat(std::int64_t group_size) : group_size_(group_size) {}

  std::string description() const override { return "AWQ int4, " + groups_text(group_size_); }

  bool holds(const RawTensors& tensors, std::string_view module) const override {
    return ModuleTensors(tensors, module).find("qweight") != nullptr;
  }
  Result<TensorView> describe(const RawTensors& tensors, std::string_view module) const override {
    HANGAR_TRY(const AwqModule packed, open(ModuleTensors(tensors, module)));
    return canonical_view(packed);
  }
  Result<TensorView> read(const RawTensors& tensors, std::string_view module) const override {
    HANGAR_TRY(const AwqModule packed, open(ModuleTensors(tensors, module)));
    return read_canonical(packed);
  }

 private:
  Result<AwqModule> open(const ModuleTensors& parts) const {
    HANGAR_TRY(const RawTensor* qweight, parts.get("qweight", {RawType::kI32}, 2));
    HANGAR_TRY(const RawTensor* scales,
               parts.get("scales", {RawType::kF16, RawType::kBF16, RawType::kF32}, 2));
    AwqModule packed;
    packed.name = parts.name("weight");
    packed.columns = qweight->shape[0];
    packed.rows = scales->shape[1];
    const std::int64_t words = qweight->shape[1];
    if (packed.rows % kOutputsAWord != 0 || packed.rows / kOutputsAWord != words) {
      return parts.wrong_shape(
          *qweight, fmt::format("an eighth of the {} outputs of 'scales' as columns", packed.rows));
    }
    const std::int64_t size = group_size_ == -1 ? packed.columns : group_size_;
    if (packed.columns % size != 0 || packed.columns / size != scales->shape[0]) {
      return parts.wrong_shape(
          *scales, fmt::format("groups of {} of {} inputs as rows", size, packed.columns));
    }
    HANGAR_TRY(const RawTensor* qzeros,
               parts.get("qzeros", {RawType::kI32}, {scales->shape[0], words}));
    HANGAR_TRY(packed.scales, parts.floats(*scales));
    packed.qweight = Words(*qweight);
    packed.qzeros = Words(*qzeros);
    packed.group_in_order(size);
    return packed;
  }

  std::int64_t group_size_;
};

}  // namespace

Result<std::unique_ptr<const LinearFormat>> make_awq_format(
    const boost::json::object& quantization_config) {
  const Fields fields = quantization_fields(quantization_config);
  HANGAR_CHECK_OK(require_integer(fields, "bits", {4}, "w_bit"));
  HANGAR_TRY(const std::int64_t group_size, read_group_size(fields, "q_group_size"));
  // Old files say "version", new ones "format".
  for (const std::string_view key : {"version", "format", "checkpoint_format"}) {
    HANGAR_CHECK_OK(require_text(fields, key, {"gemm", "GEMM"}));
  }
  HANGAR_CHECK_OK(refuse_text(fields, "backend", {"llm-awq"}, "'gemm' is read"));
  // Whether the zero points are the middle of the codes or not, they are stored.
  HANGAR_CHECK_OK(fields.boolean_or("zero_point", true));
  return std::make_unique<AwqFormat>(group_size);
}

}  // namespace hangar::hf
