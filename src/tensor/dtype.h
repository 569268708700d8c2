// DType: how numbers are stored, in files and in memory.
//
// Promise: the names and block layouts are those of GGUF (ggml) for the quantized types. Rows of a
//   quantized tensor are whole blocks; a block never crosses a row.
// Units: bytes, elements.
// Threads: values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace hangar {

enum class DType : std::uint8_t {
  kF32,
  kF16,
  kBF16,
  kI32,
  kQ4_0,  // 32 elements: f16 d, 16 bytes of nibbles; x = d * (q - 8)
  kQ4_1,  // 32 elements: f16 d, f16 m, nibbles; x = d * q + m
  kQ5_0,  // 32 elements: f16 d, 32 high bits, nibbles; x = d * (q - 16)
  kQ5_1,  // 32 elements: f16 d, f16 m, 32 high bits, nibbles; x = d * q + m
  kQ8_0,  // 32 elements: f16 d, 32 int8; x = d * q
  kQ4_K,  // 256 elements in 8 groups, 6-bit scales and minimums
  kQ5_K,  // 256 elements in 8 groups, 6-bit scales and minimums
  kQ6_K,  // 256 elements in 16 groups, 8-bit scales
};

struct DTypeInfo {
  std::string_view name;  // "Q4_1"
  std::int64_t block_elements;
  std::size_t block_bytes;
};

const DTypeInfo& dtype_info(DType dtype);
inline std::string_view dtype_name(DType dtype) {
  return dtype_info(dtype).name;
}
// Bytes of one row of `elements`, which must be a multiple of the block.
std::size_t row_bytes(DType dtype, std::int64_t elements);
// Average bits per element, block overheads included: Q4_1 is 5.0.
double bits_per_element(DType dtype);

}  // namespace hangar
