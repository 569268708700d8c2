#include "quant/dequantize.h"

#include <cstring>

#include "quant/dequantize_blocks.h"
#include "quant/unpack.h"
#include "tensor/float16.h"
#include "tensor/float8.h"

namespace hangar {
namespace {

using Dequantizer = void (*)(const std::uint8_t* block, float* out);

Dequantizer dequantizer_of(DType dtype) {
  switch (dtype) {
    case DType::kQ4_0:
      return dequantize_q4_0;
    case DType::kQ4_1:
      return dequantize_q4_1;
    case DType::kQ5_0:
      return dequantize_q5_0;
    case DType::kQ5_1:
      return dequantize_q5_1;
    case DType::kQ8_0:
      return dequantize_q8_0;
    case DType::kQ4_K:
      return dequantize_q4_k;
    case DType::kQ5_K:
      return dequantize_q5_k;
    case DType::kQ6_K:
      return dequantize_q6_k;
    case DType::kQ2_K:
      return dequantize_q2_k;
    case DType::kQ3_K:
      return dequantize_q3_k;
    case DType::kIQ4_NL:
      return dequantize_iq4_nl;
    case DType::kIQ4_XS:
      return dequantize_iq4_xs;
    case DType::kMXFP4:
      return dequantize_mxfp4;
    case DType::kInt4G32:
      return dequantize_int4_g32;
    case DType::kInt8G32:
      return dequantize_int8_g32;
    case DType::kF32:
    case DType::kF16:
    case DType::kBF16:
    case DType::kI32:
    case DType::kF8E4M3:
      return nullptr;
  }
  return nullptr;
}

float load_i32(const std::uint8_t* p) {
  std::int32_t value;
  std::memcpy(&value, p, sizeof value);
  return static_cast<float>(value);
}

}  // namespace

void dequantize_row(DType dtype, const std::byte* blocks, float* out, std::int64_t elements) {
  if (elements == 0) return;
  const std::uint8_t* in = as_bytes(blocks);
  if (dtype == DType::kF32) {
    std::memcpy(out, in, static_cast<std::size_t>(elements) * sizeof(float));
  } else if (dtype == DType::kF16) {
    for (std::int64_t i = 0; i < elements; ++i) out[i] = load_half(in + 2 * i);
  } else if (dtype == DType::kBF16) {
    for (std::int64_t i = 0; i < elements; ++i) out[i] = load_bfloat16(in + 2 * i);
  } else if (dtype == DType::kI32) {
    for (std::int64_t i = 0; i < elements; ++i) out[i] = load_i32(in + 4 * i);
  } else if (dtype == DType::kF8E4M3) {
    for (std::int64_t i = 0; i < elements; ++i) out[i] = float8_e4m3_to_float(in[i]);
  } else {
    const DTypeInfo& info = dtype_info(dtype);
    const Dequantizer dequantize_block = dequantizer_of(dtype);
    for (std::int64_t i = 0; i < elements; i += info.block_elements) {
      dequantize_block(in, out + i);
      in += info.block_bytes;
    }
  }
}

}  // namespace hangar
