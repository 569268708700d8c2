#include "quant/quantize.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "quant/unpack.h"
#include "tensor/float16.h"

namespace hangar {
namespace {

constexpr int kBlock = 32;

// Truncates into 0..limit; a NaN gives 0.
std::uint8_t clamp_code(float x, float limit) {
  if (!(x > 0.0F)) return 0;
  return static_cast<std::uint8_t>(std::min(x, limit));
}

float inverse(float d) {
  return d == 0.0F ? 0.0F : 1.0F / d;
}

// The element of largest magnitude (the first of equals), with its sign.
float extreme(const float* x) {
  float best = x[0];
  for (int i = 1; i < kBlock; ++i) {
    if (std::fabs(x[i]) > std::fabs(best)) best = x[i];
  }
  return best;
}

void pack_nibbles(const std::uint8_t q[kBlock], std::uint8_t* out) {
  for (int i = 0; i < 16; ++i) {
    out[i] = static_cast<std::uint8_t>((q[i] & 0x0FU) | ((q[i + 16] & 0x0FU) << 4U));
  }
}

void pack_fifth_bits(const std::uint8_t q[kBlock], std::uint8_t* out) {
  std::memset(out, 0, 4);
  for (int i = 0; i < kBlock; ++i) {
    out[i / 8] = static_cast<std::uint8_t>(out[i / 8] | ((q[i] >> 4U) << (i % 8)));
  }
}

// Q4_0 (half = 8), Q5_0 (half = 16): the extreme element lands on code 0. Returns d.
float symmetric_codes(const float* x, float half, std::uint8_t q[kBlock]) {
  const float d = extreme(x) / -half;
  const float id = inverse(d);
  for (int i = 0; i < kBlock; ++i) q[i] = clamp_code(x[i] * id + (half + 0.5F), 2.0F * half - 1.0F);
  return d;
}

struct ScaleMinimum {
  float scale;
  float minimum;
};

// Q4_1 (limit = 15), Q5_1 (limit = 31): codes run from the least element to the greatest.
ScaleMinimum ranged_codes(const float* x, float limit, std::uint8_t q[kBlock]) {
  const auto [least, greatest] = std::minmax_element(x, x + kBlock);
  const float minimum = *least;
  const float d = (*greatest - minimum) / limit;
  const float id = inverse(d);
  for (int i = 0; i < kBlock; ++i) q[i] = clamp_code((x[i] - minimum) * id + 0.5F, limit);
  return {d, minimum};
}

void quantize_q4_0(const float* x, std::uint8_t* out) {
  std::uint8_t q[kBlock];
  store_u16(out, float_to_half(symmetric_codes(x, 8.0F, q)));
  pack_nibbles(q, out + 2);
}

void quantize_q4_1(const float* x, std::uint8_t* out) {
  std::uint8_t q[kBlock];
  const ScaleMinimum s = ranged_codes(x, 15.0F, q);
  store_u16(out, float_to_half(s.scale));
  store_u16(out + 2, float_to_half(s.minimum));
  pack_nibbles(q, out + 4);
}

void quantize_q5_0(const float* x, std::uint8_t* out) {
  std::uint8_t q[kBlock];
  store_u16(out, float_to_half(symmetric_codes(x, 16.0F, q)));
  pack_fifth_bits(q, out + 2);
  pack_nibbles(q, out + 6);
}

void quantize_q5_1(const float* x, std::uint8_t* out) {
  std::uint8_t q[kBlock];
  const ScaleMinimum s = ranged_codes(x, 31.0F, q);
  store_u16(out, float_to_half(s.scale));
  store_u16(out + 2, float_to_half(s.minimum));
  pack_fifth_bits(q, out + 4);
  pack_nibbles(q, out + 8);
}

void quantize_q8_0(const float* x, std::uint8_t* out) {
  const float d = std::fabs(extreme(x)) / 127.0F;
  const float id = inverse(d);
  store_u16(out, float_to_half(d));
  for (int i = 0; i < kBlock; ++i) {
    const float scaled = x[i] * id;
    const float rounded =
        std::isnan(scaled) ? 0.0F : std::round(std::clamp(scaled, -128.0F, 127.0F));
    out[2 + i] = static_cast<std::uint8_t>(static_cast<std::int8_t>(rounded));
  }
}

using Quantizer = void (*)(const float* x, std::uint8_t* out);

Quantizer quantizer_of(DType dtype) {
  switch (dtype) {
    case DType::kQ4_0:
      return quantize_q4_0;
    case DType::kQ4_1:
      return quantize_q4_1;
    case DType::kQ5_0:
      return quantize_q5_0;
    case DType::kQ5_1:
      return quantize_q5_1;
    case DType::kQ8_0:
      return quantize_q8_0;
    default:
      return nullptr;
  }
}

}  // namespace

bool can_quantize(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16 ||
         quantizer_of(dtype) != nullptr;
}

void quantize_row(DType dtype, const float* in, std::byte* out_bytes, std::int64_t elements) {
  if (elements == 0) return;
  auto* out = reinterpret_cast<std::uint8_t*>(out_bytes);
  if (dtype == DType::kF32) {
    std::memcpy(out, in, static_cast<std::size_t>(elements) * sizeof(float));
  } else if (dtype == DType::kF16) {
    for (std::int64_t i = 0; i < elements; ++i) store_u16(out + 2 * i, float_to_half(in[i]));
  } else if (dtype == DType::kBF16) {
    for (std::int64_t i = 0; i < elements; ++i) store_u16(out + 2 * i, float_to_bfloat16(in[i]));
  } else if (const Quantizer quantize_block = quantizer_of(dtype)) {
    for (std::int64_t i = 0; i < elements; i += kBlock) {
      quantize_block(in + i, out);
      out += dtype_info(dtype).block_bytes;
    }
  }
}

}  // namespace hangar
