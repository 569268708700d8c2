#include "formats/hf/module_tensors.h"

#include <algorithm>
#include <limits>

#include "quant/dequantize.h"

namespace hangar::hf {
namespace {

constexpr std::string_view kNames[] = {"BOOL", "U8",  "I8",  "F8_E4M3", "F8_E5M2",
                                       "I16",  "U16", "F16", "BF16",    "I32",
                                       "U32",  "F32", "I64", "U64",     "F64"};

std::int64_t count(const RawTensor& tensor) {
  std::int64_t n = 1;
  for (const std::int64_t extent : tensor.shape) n *= extent;
  return n;
}

}  // namespace

std::string_view raw_type_name(RawType type) {
  return kNames[static_cast<std::size_t>(type)];
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

std::string ModuleTensors::name(std::string_view suffix) const {
  return fmt::format("{}.{}", module_, suffix);
}

const RawTensor* ModuleTensors::find(std::string_view suffix) const {
  return tensors_->find(name(suffix));
}

Result<const RawTensor*> ModuleTensors::get(std::string_view suffix) const {
  const RawTensor* tensor = find(suffix);
  if (tensor == nullptr) {
    return make_error(ErrorCode::kCorrupt, "tensor '{}' is missing", name(suffix));
  }
  return tensor;
}

Status ModuleTensors::check_type(const RawTensor& tensor,
                                 std::initializer_list<RawType> types) const {
  if (std::ranges::find(types, tensor.type) != types.end()) return {};
  std::string expected;
  for (const RawType type : types) {
    if (!expected.empty()) expected += " or ";
    expected += raw_type_name(type);
  }
  return make_error(ErrorCode::kCorrupt, "tensor '{}': {} found, {} expected", tensor.name,
                    raw_type_name(tensor.type), expected);
}

Result<const RawTensor*> ModuleTensors::get(std::string_view suffix,
                                            std::initializer_list<RawType> types,
                                            std::size_t dimensions) const {
  HANGAR_TRY(const RawTensor* tensor, get(suffix));
  HANGAR_CHECK_OK(check_type(*tensor, types));
  if (tensor->shape.size() != dimensions || std::ranges::count(tensor->shape, 0) != 0) {
    return wrong_shape(*tensor, fmt::format("{} dimensions, none of them 0,", dimensions));
  }
  return tensor;
}

Result<const RawTensor*> ModuleTensors::get(std::string_view suffix,
                                            std::initializer_list<RawType> types,
                                            const std::vector<std::int64_t>& shape) const {
  HANGAR_TRY(const RawTensor* tensor, get(suffix));
  HANGAR_CHECK_OK(check_type(*tensor, types));
  if (tensor->shape != shape) return wrong_shape(*tensor, shape_text(shape));
  return tensor;
}

Result<std::vector<float>> ModuleTensors::floats(const RawTensor& tensor) const {
  HANGAR_CHECK_OK(check_type(tensor, {RawType::kF32, RawType::kF16, RawType::kBF16}));
  const DType dtype = tensor.type == RawType::kF32   ? DType::kF32
                      : tensor.type == RawType::kF16 ? DType::kF16
                                                     : DType::kBF16;
  std::vector<float> values(static_cast<std::size_t>(count(tensor)));
  dequantize_row(dtype, tensor.data.data(), values.data(), std::ssize(values));
  return values;
}

Result<std::vector<std::int32_t>> ModuleTensors::integers(const RawTensor& tensor) const {
  HANGAR_CHECK_OK(check_type(tensor, {RawType::kI32, RawType::kI64}));
  std::vector<std::int32_t> values(static_cast<std::size_t>(count(tensor)));
  if (tensor.type == RawType::kI32) {
    if (!values.empty()) std::memcpy(values.data(), tensor.data.data(), values.size() * 4);
    return values;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::int64_t wide;
    std::memcpy(&wide, tensor.data.data() + i * 8, sizeof(wide));
    if (wide < std::numeric_limits<std::int32_t>::min() ||
        wide > std::numeric_limits<std::int32_t>::max()) {
      return make_error(ErrorCode::kCorrupt, "tensor '{}': element {} is {}: out of range",
                        tensor.name, i, wide);
    }
    values[i] = static_cast<std::int32_t>(wide);
  }
  return values;
}

tl::unexpected<Error> ModuleTensors::wrong_shape(const RawTensor& tensor,
                                                 std::string_view expected) const {
  return make_error(ErrorCode::kCorrupt, "tensor '{}': shape {} found, {} expected", tensor.name,
                    shape_text(tensor.shape), expected);
}

}  // namespace hangar::hf
