// The canonical forms of 4- and 8-bit checkpoints: INT4_G32, INT8_G32.
#include "quant/dequantize_blocks.h"
#include "quant/group32.h"
#include "quant/unpack.h"

namespace hangar {
namespace {

void scale_codes(Group32 group, const std::uint8_t q[32], float* out) {
  for (int i = 0; i < 32; ++i) {
    // The difference of two numbers far below 2^24 is exact: one rounding, that of the product.
    out[i] = group.scale * (static_cast<float>(q[i]) - static_cast<float>(group.zero));
  }
}

}  // namespace

void dequantize_int4_g32(const std::uint8_t* block, float* out) {
  std::uint8_t q[32];
  unpack_q4(block + kGroup32Codes, q);
  scale_codes(load_group32(block), q, out);
}

void dequantize_int8_g32(const std::uint8_t* block, float* out) {
  scale_codes(load_group32(block), block + kGroup32Codes, out);
}

}  // namespace hangar
