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
  kQ4_0,    // 32 elements: f16 d, 16 bytes of nibbles; x = d * (q - 8)
  kQ4_1,    // 32 elements: f16 d, f16 m, nibbles; x = d * q + m
  kQ5_0,    // 32 elements: f16 d, 32 high bits, nibbles; x = d * (q - 16)
  kQ5_1,    // 32 elements: f16 d, f16 m, 32 high bits, nibbles; x = d * q + m
  kQ8_0,    // 32 elements: f16 d, 32 int8; x = d * q
  kQ4_K,    // 256 elements in 8 groups, 6-bit scales and minimums
  kQ5_K,    // 256 elements in 8 groups, 6-bit scales and minimums
  kQ6_K,    // 256 elements in 16 groups, 8-bit scales
  kQ2_K,    // 256 elements in 16 groups, 4-bit scales and minimums
  kQ3_K,    // 256 elements in 16 groups, 6-bit scales
  kIQ4_NL,  // 32 elements: f16 d, 16 bytes of nibbles; x = d * kvalues[q]
  kIQ4_XS,  // 256 elements in 8 groups, 6-bit scales; values as IQ4_NL
  kMXFP4,   // 32 elements: e8m0 scale, 16 bytes of e2m1 nibbles
  // The forms that 4- and 8-bit Hugging Face checkpoints are brought to (not GGUF's):
  kInt4G32,  // 32 elements: f32 scale, i32 zero, nibbles as Q4_0's; x = scale * (q - zero)
  kInt8G32,  // 32 elements: f32 scale, i32 zero, 32 uint8; x = scale * (q - zero)
  kF8E4M3,   // one byte: sign, 4 bits exponent (bias 7), 3 bits mantissa; no infinities, 0x7F is
             // NaN. TensorView::scales holds its scales
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
