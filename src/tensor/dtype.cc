#include "tensor/dtype.h"

#include <array>

namespace hangar {
namespace {

constexpr std::array<DTypeInfo, 20> kInfo = {{
    {"F32", 1, 4},     {"F16", 1, 2},        {"BF16", 1, 2},       {"I32", 1, 4},
    {"Q4_0", 32, 18},  {"Q4_1", 32, 20},     {"Q5_0", 32, 22},     {"Q5_1", 32, 24},
    {"Q8_0", 32, 34},  {"Q4_K", 256, 144},   {"Q5_K", 256, 176},   {"Q6_K", 256, 210},
    {"Q2_K", 256, 84}, {"Q3_K", 256, 110},   {"IQ4_NL", 32, 18},   {"IQ4_XS", 256, 136},
    {"MXFP4", 32, 17}, {"INT4_G32", 32, 24}, {"INT8_G32", 32, 40}, {"F8_E4M3", 1, 1},
}};

}  // namespace

const DTypeInfo& dtype_info(DType dtype) {
  return kInfo[static_cast<std::size_t>(dtype)];
}

std::size_t row_bytes(DType dtype, std::int64_t elements) {
  const DTypeInfo& info = dtype_info(dtype);
  return static_cast<std::size_t>(elements / info.block_elements) * info.block_bytes;
}

double bits_per_element(DType dtype) {
  const DTypeInfo& info = dtype_info(dtype);
  return 8.0 * static_cast<double>(info.block_bytes) / static_cast<double>(info.block_elements);
}

}  // namespace hangar
