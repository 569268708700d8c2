#include "formats/gguf/ggml_types.h"

#include <array>

namespace hangar::gguf {
namespace {

constexpr std::array kTypes = {
    GgmlType{0, "F32", DType::kF32},          GgmlType{1, "F16", DType::kF16},
    GgmlType{2, "Q4_0", DType::kQ4_0},        GgmlType{3, "Q4_1", DType::kQ4_1},
    GgmlType{4, "Q4_2", std::nullopt},  // 4, 5, 31-33 and 36-38 are withdrawn from the format
    GgmlType{5, "Q4_3", std::nullopt},        GgmlType{6, "Q5_0", DType::kQ5_0},
    GgmlType{7, "Q5_1", DType::kQ5_1},        GgmlType{8, "Q8_0", DType::kQ8_0},
    GgmlType{9, "Q8_1", std::nullopt},        GgmlType{10, "Q2_K", DType::kQ2_K},
    GgmlType{11, "Q3_K", DType::kQ3_K},       GgmlType{12, "Q4_K", DType::kQ4_K},
    GgmlType{13, "Q5_K", DType::kQ5_K},       GgmlType{14, "Q6_K", DType::kQ6_K},
    GgmlType{15, "Q8_K", std::nullopt},       GgmlType{16, "IQ2_XXS", std::nullopt},
    GgmlType{17, "IQ2_XS", std::nullopt},     GgmlType{18, "IQ3_XXS", std::nullopt},
    GgmlType{19, "IQ1_S", std::nullopt},      GgmlType{20, "IQ4_NL", DType::kIQ4_NL},
    GgmlType{21, "IQ3_S", std::nullopt},      GgmlType{22, "IQ2_S", std::nullopt},
    GgmlType{23, "IQ4_XS", DType::kIQ4_XS},   GgmlType{24, "I8", std::nullopt},
    GgmlType{25, "I16", std::nullopt},        GgmlType{26, "I32", DType::kI32},
    GgmlType{27, "I64", std::nullopt},        GgmlType{28, "F64", std::nullopt},
    GgmlType{29, "IQ1_M", std::nullopt},      GgmlType{30, "BF16", DType::kBF16},
    GgmlType{31, "Q4_0_4_4", std::nullopt},   GgmlType{32, "Q4_0_4_8", std::nullopt},
    GgmlType{33, "Q4_0_8_8", std::nullopt},   GgmlType{34, "TQ1_0", std::nullopt},
    GgmlType{35, "TQ2_0", std::nullopt},      GgmlType{36, "IQ4_NL_4_4", std::nullopt},
    GgmlType{37, "IQ4_NL_4_8", std::nullopt}, GgmlType{38, "IQ4_NL_8_8", std::nullopt},
    GgmlType{39, "MXFP4", DType::kMXFP4},     GgmlType{40, "NVFP4", std::nullopt},
    GgmlType{41, "Q1_0", std::nullopt},       GgmlType{42, "Q2_0", std::nullopt},
};

}  // namespace

const GgmlType* find_ggml_type(std::uint32_t number) {
  return number < kTypes.size() ? &kTypes[number] : nullptr;
}

std::uint32_t ggml_type_number(DType dtype) {
  for (const GgmlType& type : kTypes) {
    if (type.dtype == dtype) return type.number;
  }
  return UINT32_MAX;  // no type of GGUF's: INT4_G32, INT8_G32, F8_E4M3
}

std::string supported_ggml_types() {
  std::string out;
  for (const GgmlType& type : kTypes) {
    if (!type.dtype) continue;
    if (!out.empty()) out += ", ";
    out += type.name;
  }
  return out;
}

}  // namespace hangar::gguf
