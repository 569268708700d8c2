#include "formats/hf/compressed_module.h"

#include <algorithm>

#include "formats/hf/packed_module.h"

namespace hangar::hf {
namespace {

// Integers of either kind: packed into words along the inputs, or a byte each.
class IntegerModule final : public PackedModule {
 public:
  void codes(std::int64_t row, std::span<const std::int64_t> inputs,
             std::uint8_t* q) const override {
    if (bytes != nullptr) {  // signed: code 128 is 0
      const auto* from = reinterpret_cast<const std::uint8_t*>(bytes) + row * columns;
      for (const std::int64_t input : inputs) *q++ = from[input] ^ 0x80U;
      return;
    }
    for (const std::int64_t input : inputs) {
      *q++ = packing.pick(packed.at(row, packing.word_of(input)), input);
    }
  }
  Group32 group(std::int64_t row, std::int64_t g) const override {
    const std::int64_t at = one_scale ? 0 : row * groups + g;
    std::int32_t zero = bits == 4 ? 8 : 128;
    if (packed_zeros) {
      zero = packing.pick(zero_words.at(packing.word_of(row), g), row);
    } else if (!zeros.empty()) {
      zero = 128 + zeros[static_cast<std::size_t>(at)];
    }
    return {scales[static_cast<std::size_t>(at)], zero};
  }

  const std::byte* bytes = nullptr;
  Words packed;
  WordPacking packing;
  std::vector<float> scales;  // [rows][groups], or one
  bool one_scale = false;
  std::int64_t groups = 1;
  bool packed_zeros = false;
  Words zero_words;                // [words of rows][groups]
  std::vector<std::int8_t> zeros;  // as scales
};

// weight_packed and the shape it has unpacked.
Status open_packed(const ModuleTensors& parts, IntegerModule& module) {
  HANGAR_TRY(const RawTensor* packed, parts.get("weight_packed", {RawType::kI32}, 2));
  HANGAR_TRY(const RawTensor* shape_of, parts.get("weight_shape", {RawType::kI64, RawType::kI32},
                                                  std::vector<std::int64_t>{2}));
  HANGAR_TRY(const std::vector<std::int32_t> shape, parts.integers(*shape_of));
  module.rows = shape[0];
  module.columns = shape[1];
  if (shape[0] <= 0 || shape[1] <= 0 || packed->shape[0] != module.rows ||
      packed->shape[1] != module.packing.words(module.columns)) {
    return parts.wrong_shape(*packed, fmt::format("'weight_shape' {} of {} bits packed",
                                                  shape_text({shape[0], shape[1]}), module.bits));
  }
  module.packed = Words(*packed);
  return {};
}

Status open_bytes(const ModuleTensors& parts, IntegerModule& module) {
  HANGAR_TRY(const RawTensor* weight, parts.get("weight", {RawType::kI8}, 2));
  module.bits = 8;
  module.rows = weight->shape[0];
  module.columns = weight->shape[1];
  module.bytes = weight->data.data();
  return {};
}

// Which inputs share a scale.
Status group_inputs(const CompressedScheme& scheme, const ModuleTensors& parts,
                    IntegerModule& module) {
  const std::int64_t size =
      scheme.strategy == CompressedStrategy::kGroup ? scheme.group_size : module.columns;
  if (module.columns % size != 0) {
    return make_error(ErrorCode::kCorrupt, "tensor '{}': {} inputs are no whole groups of {}",
                      module.name, module.columns, size);
  }
  module.groups = module.columns / size;
  module.group_in_order(size);
  const RawTensor* g_idx = parts.find("weight_g_idx");
  if (g_idx == nullptr) return {};
  if (g_idx->shape != std::vector{module.columns}) {
    return parts.wrong_shape(*g_idx, shape_text({module.columns}));
  }
  HANGAR_TRY(const std::vector<std::int32_t> group_of_input, parts.integers(*g_idx));
  const auto [least, greatest] = std::ranges::minmax(group_of_input);
  if (least == -1) return {};  // how the package writes "in order"
  if (least < 0 || greatest >= module.groups) {
    return make_error(ErrorCode::kCorrupt, "tensor '{}': groups {} to {} found, 0 to {} expected",
                      g_idx->name, least, greatest, module.groups - 1);
  }
  module.group_by_index(group_of_input);
  return {};
}

Status open_scales(const CompressedScheme& scheme, const ModuleTensors& parts,
                   IntegerModule& module) {
  HANGAR_TRY(const RawTensor* scale, parts.get("weight_scale"));
  HANGAR_TRY(module.scales, parts.floats(*scale));
  module.one_scale = scheme.strategy == CompressedStrategy::kTensor;
  const bool one = module.scales.size() == 1;
  const bool matrix = scale->shape == std::vector{module.rows, module.groups};
  const bool column = module.groups == 1 && scale->shape == std::vector{module.rows};
  if (module.one_scale ? !one : !(matrix || column)) {
    return parts.wrong_shape(
        *scale, module.one_scale ? "one scale" : shape_text({module.rows, module.groups}));
  }
  if (scheme.symmetric) return {};
  if (scheme.kind == CompressedKind::kPacked) {
    const std::int64_t words = module.packing.words(module.rows);
    HANGAR_TRY(const RawTensor* zeros,
               parts.get("weight_zero_point", {RawType::kI32}, {words, module.groups}));
    module.zero_words = Words(*zeros);
    module.packed_zeros = true;
    return {};
  }
  HANGAR_TRY(const RawTensor* zeros, parts.get("weight_zero_point", {RawType::kI8}, scale->shape));
  module.zeros.resize(module.scales.size());
  std::memcpy(module.zeros.data(), zeros->data.data(), module.zeros.size());
  return {};
}

Result<IntegerModule> open_integers(const CompressedScheme& scheme, const ModuleTensors& parts) {
  IntegerModule module;
  module.name = parts.name("weight");
  module.bits = scheme.bits;
  module.packing = WordPacking::of_bits(scheme.bits);
  HANGAR_CHECK_OK(scheme.kind == CompressedKind::kPacked ? open_packed(parts, module)
                                                         : open_bytes(parts, module));
  HANGAR_CHECK_OK(group_inputs(scheme, parts, module));
  HANGAR_CHECK_OK(open_scales(scheme, parts, module));
  return module;
}

}  // namespace

bool is_compressed(const CompressedScheme& scheme, const ModuleTensors& parts) {
  if (scheme.kind == CompressedKind::kPacked) return parts.find("weight_packed") != nullptr;
  if (scheme.kind == CompressedKind::kFp8) return has_fp8_weight(parts);
  const RawTensor* weight = parts.find("weight");
  return weight != nullptr && weight->type == RawType::kI8;
}

Result<TensorView> read_compressed(const CompressedScheme& scheme, const ModuleTensors& parts) {
  if (scheme.kind == CompressedKind::kFp8) {
    const bool blocks = scheme.strategy == CompressedStrategy::kBlock;
    return read_fp8(parts, "weight_scale",
                    blocks ? std::optional<BlockShape>(scheme.block) : std::nullopt);
  }
  HANGAR_TRY(const IntegerModule module, open_integers(scheme, parts));
  return read_canonical(module);
}

Result<TensorView> describe_compressed(const CompressedScheme& scheme, const ModuleTensors& parts) {
  if (scheme.kind != CompressedKind::kFp8) {
    HANGAR_TRY(const IntegerModule module, open_integers(scheme, parts));
    return canonical_view(module);
  }
  HANGAR_TRY(TensorView view, read_compressed(scheme, parts));
  view.data = {};
  view.scales = nullptr;
  return view;
}

}  // namespace hangar::hf
