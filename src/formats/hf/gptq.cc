#include "formats/hf/gptq.h"

#include <algorithm>

#include "formats/hf/fields.h"
#include "formats/hf/module_tensors.h"
#include "formats/hf/packed_module.h"
#include "formats/hf/quantization_config.h"

namespace hangar::hf {
namespace {

struct Options {
  int bits = 4;
  std::int64_t group_size = 128;  // -1: one group
  bool act_order = false;
  bool zeros_less_one = true;
};

class GptqModule final : public PackedModule {
 public:
  void codes(std::int64_t row, std::span<const std::int64_t> inputs,
             std::uint8_t* q) const override {
    for (const std::int64_t input : inputs) {
      *q++ = packing.pick(qweight.at(packing.word_of(input), row), input);
    }
  }
  Group32 group(std::int64_t row, std::int64_t g) const override {
    // The one comes back by an addition on the whole word, carries and all, as the writers took it
    // away.
    return {scales[static_cast<std::size_t>(g * rows + row)],
            packing.pick(qzeros.at(g, packing.word_of(row)) + added_to_zeros, row)};
  }

  Words qweight;
  Words qzeros;
  std::vector<float> scales;
  WordPacking packing;
  std::uint32_t added_to_zeros = 0;
};

class GptqFormat final : public LinearFormat {
 public:
  explicit GptqFormat(const Options& options) : options_(options) {}

  std::string description() const override {
    return fmt::format("GPTQ int{}, {}{}", options_.bits, groups_text(options_.group_size),
                       options_.act_order ? ", act-order" : "");
  }
  bool holds(const RawTensors& tensors, std::string_view module) const override {
    return ModuleTensors(tensors, module).find("qweight") != nullptr;
  }
  Result<TensorView> describe(const RawTensors& tensors, std::string_view module) const override {
    HANGAR_TRY(const GptqModule packed, open(ModuleTensors(tensors, module)));
    return canonical_view(packed);
  }
  Result<TensorView> read(const RawTensors& tensors, std::string_view module) const override {
    HANGAR_TRY(const GptqModule packed, open(ModuleTensors(tensors, module)));
    return read_canonical(packed);
  }

 private:
  Result<GptqModule> open(const ModuleTensors& parts) const {
    GptqModule packed;
    packed.name = parts.name("weight");
    packed.bits = options_.bits;
    packed.packing = WordPacking::of_bits(options_.bits);
    if (options_.zeros_less_one) {
      packed.added_to_zeros = options_.bits == 4 ? 0x11111111U : 0x01010101U;
    }
    HANGAR_TRY(const RawTensor* qweight, parts.get("qweight", {RawType::kI32}, 2));
    HANGAR_TRY(const RawTensor* scales,
               parts.get("scales", {RawType::kF16, RawType::kBF16, RawType::kF32}, 2));
    packed.rows = qweight->shape[1];
    const std::int64_t groups = scales->shape[0];
    if (scales->shape[1] != packed.rows) {
      return parts.wrong_shape(*scales,
                               fmt::format("the {} outputs of 'qweight' as columns", packed.rows));
    }
    const std::int64_t zero_words = packed.packing.words(packed.rows);
    HANGAR_TRY(const RawTensor* qzeros, parts.get("qzeros", {RawType::kI32}, {groups, zero_words}));
    HANGAR_CHECK_OK(group_inputs(parts, *qweight, *scales, packed));
    HANGAR_TRY(packed.scales, parts.floats(*scales));
    packed.qweight = Words(*qweight);
    packed.qzeros = Words(*qzeros);
    return packed;
  }

  // packed.columns, group_of and input_order.
  Status group_inputs(const ModuleTensors& parts, const RawTensor& qweight, const RawTensor& scales,
                      GptqModule& packed) const {
    const std::int64_t words = qweight.shape[0];
    const std::int64_t groups = scales.shape[0];
    packed.columns = words * packed.packing.per_word();
    if (parts.find("g_idx") == nullptr) {
      if (options_.act_order) {
        return make_error(ErrorCode::kCorrupt, "tensor '{}' is missing, and desc_act is true",
                          parts.name("g_idx"));
      }
      const std::int64_t size = options_.group_size == -1 ? packed.columns : options_.group_size;
      if ((packed.columns + size - 1) / size != groups) {
        return parts.wrong_shape(
            scales, fmt::format("groups of {} of {} inputs as rows", size, packed.columns));
      }
      packed.group_in_order(size);
      return {};
    }
    HANGAR_TRY(const RawTensor* g_idx, parts.get("g_idx", {RawType::kI32, RawType::kI64}, 1));
    packed.columns = g_idx->shape[0];
    if (packed.packing.words(packed.columns) != words) {
      return parts.wrong_shape(
          *g_idx, fmt::format("the {} inputs of 'qweight'", words * packed.packing.per_word()));
    }
    HANGAR_TRY(const std::vector<std::int32_t> group_of_input, parts.integers(*g_idx));
    const auto [least, greatest] = std::ranges::minmax(group_of_input);
    if (least < 0 || greatest >= groups) {
      return make_error(ErrorCode::kCorrupt, "tensor '{}': groups {} to {} found, 0 to {} expected",
                        g_idx->name, least, greatest, groups - 1);
    }
    packed.group_by_index(group_of_input);
    return {};
  }

  Options options_;
};

// Patterns that leave modules out ("-:") show in the tensors; those that give others are refused.
Status check_dynamic(const Fields& fields) {
  HANGAR_TRY(const auto dynamic, fields.fields("dynamic"));
  if (!dynamic) return {};
  for (const auto& [pattern, settings] : dynamic->object()) {
    if (std::string_view(pattern).starts_with("-:")) continue;
    if (settings.is_null() || (settings.is_object() && settings.as_object().empty())) continue;
    return make_error(ErrorCode::kUnsupported,
                      "{}: 'quantization_config.dynamic': settings of their own for modules like "
                      "'{}' are not read; quantize all modules alike",
                      fields.file(), std::string_view(pattern));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<const LinearFormat>> make_gptq_format(
    const boost::json::object& quantization_config) {
  const Fields fields = quantization_fields(quantization_config);
  Options options;
  HANGAR_TRY(const std::int64_t bits, require_integer(fields, "bits", {4, 8}));
  options.bits = static_cast<int>(bits);
  HANGAR_TRY(options.group_size, read_group_size(fields, "group_size"));
  HANGAR_TRY(options.act_order, fields.boolean_or("desc_act", false));
  for (const std::string_view key : {"checkpoint_format", "format"}) {
    HANGAR_CHECK_OK(require_text(fields, key, {"gptq", "gptq_v2"}));
    HANGAR_TRY(const auto format, fields.text(key));
    if (format == "gptq_v2") options.zeros_less_one = false;
  }
  HANGAR_CHECK_OK(refuse_present(fields, "is_marlin_format",
                                 "weights repacked for Marlin are not read; take the checkpoint "
                                 "they were made from"));
  HANGAR_CHECK_OK(require_text(fields, "pack_dtype", {"int32"}));
  HANGAR_CHECK_OK(check_dynamic(fields));
  return std::make_unique<GptqFormat>(options);
}

}  // namespace hangar::hf
