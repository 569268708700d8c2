// The types whose nibbles number entries of a table: IQ4_NL, IQ4_XS, MXFP4.
#include "quant/dequantize_blocks.h"
#include "quant/nibble_tables.h"
#include "quant/unpack.h"

namespace hangar {
namespace {

void scale_group(const std::uint8_t nibbles[16], const std::int8_t table[16], float scale,
                 float* out) {
  std::int8_t values[32];
  unpack_table(nibbles, table, values);
  for (int i = 0; i < 32; ++i) out[i] = scale * static_cast<float>(values[i]);
}

}  // namespace

void dequantize_iq4_nl(const std::uint8_t* block, float* out) {
  scale_group(block + 2, kIq4Values, load_half(block), out);
}

void dequantize_iq4_xs(const std::uint8_t* block, float* out) {
  const float d = load_half(block);
  for (int group = 0; group < 8; ++group) {
    const float scale = d * static_cast<float>(iq4_xs_scale(block, group));
    scale_group(block + 8 + group * 16, kIq4Values, scale, out + group * 32);
  }
}

void dequantize_mxfp4(const std::uint8_t* block, float* out) {
  scale_group(block + 1, kTwiceE2m1Values, half_of_e8m0(block[0]), out);
}

}  // namespace hangar
