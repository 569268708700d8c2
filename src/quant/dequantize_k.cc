// The K types, blocks of 256: Q2_K to Q6_K.
#include "quant/dequantize_blocks.h"
#include "quant/k_scales.h"
#include "quant/unpack.h"

namespace hangar {
namespace {

// The half scales d and dmin and the packed 6-bit ones lie at the same place in Q4_K and Q5_K.
void apply_k_scales(const std::uint8_t* block, const std::uint8_t q[256], float* out) {
  std::uint8_t scale[8];
  std::uint8_t minimum[8];
  unpack_k_scales(block + 4, scale, minimum);
  const float d = load_half(block);
  const float dmin = load_half(block + 2);
  for (int group = 0; group < 8; ++group) {
    const float s = d * static_cast<float>(scale[group]);
    const float m = dmin * static_cast<float>(minimum[group]);
    for (int i = group * 32; i < group * 32 + 32; ++i) out[i] = s * static_cast<float>(q[i]) - m;
  }
}

}  // namespace

void dequantize_q2_k(const std::uint8_t* block, float* out) {
  std::uint8_t q[256];
  unpack_q2_k(block + 16, q);
  const float d = load_half(block + 80);
  const float dmin = load_half(block + 82);
  for (int group = 0; group < 16; ++group) {
    const float s = d * static_cast<float>(block[group] & 15U);
    const float m = dmin * static_cast<float>(block[group] >> 4U);
    for (int i = group * 16; i < group * 16 + 16; ++i) out[i] = s * static_cast<float>(q[i]) - m;
  }
}

void dequantize_q3_k(const std::uint8_t* block, float* out) {
  std::uint8_t q[256];
  unpack_q3_k(block, block + 32, q);
  const float d = load_half(block + 108);
  for (int group = 0; group < 16; ++group) {
    const float s = d * static_cast<float>(q3_k_scale(block + 96, group));
    for (int i = group * 16; i < group * 16 + 16; ++i) out[i] = s * static_cast<float>(q[i] - 4);
  }
}

void dequantize_q4_k(const std::uint8_t* block, float* out) {
  std::uint8_t q[256];
  unpack_q4_k(block + 16, q);
  apply_k_scales(block, q, out);
}

void dequantize_q5_k(const std::uint8_t* block, float* out) {
  std::uint8_t q[256];
  unpack_q5_k(block + 16, block + 48, q);
  apply_k_scales(block, q, out);
}

void dequantize_q6_k(const std::uint8_t* block, float* out) {
  std::int8_t q[256];
  unpack_q6_k(block, block + 128, q);
  const float d = load_half(block + 208);
  for (int group = 0; group < 16; ++group) {
    const float s = d * static_cast<float>(static_cast<std::int8_t>(block[192 + group]));
    for (int i = group * 16; i < group * 16 + 16; ++i) out[i] = s * static_cast<float>(q[i]);
  }
}

}  // namespace hangar
