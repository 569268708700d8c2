// The types with blocks of 32: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0.
#include "quant/dequantize_blocks.h"
#include "quant/unpack.h"

namespace hangar {

void dequantize_q4_0(const std::uint8_t* block, float* out) {
  std::uint8_t q[32];
  unpack_q4(block + 2, q);
  const float d = load_half(block);
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(q[i] - 8);
}

void dequantize_q4_1(const std::uint8_t* block, float* out) {
  std::uint8_t q[32];
  unpack_q4(block + 4, q);
  const float d = load_half(block);
  const float m = load_half(block + 2);
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(q[i]) + m;
}

void dequantize_q5_0(const std::uint8_t* block, float* out) {
  std::uint8_t q[32];
  unpack_q5(block + 2, block + 6, q);
  const float d = load_half(block);
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(q[i] - 16);
}

void dequantize_q5_1(const std::uint8_t* block, float* out) {
  std::uint8_t q[32];
  unpack_q5(block + 4, block + 8, q);
  const float d = load_half(block);
  const float m = load_half(block + 2);
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(q[i]) + m;
}

void dequantize_q8_0(const std::uint8_t* block, float* out) {
  const float d = load_half(block);
  for (int i = 0; i < 32; ++i) {
    out[i] = d * static_cast<float>(static_cast<std::int8_t>(block[2 + i]));
  }
}

}  // namespace hangar
