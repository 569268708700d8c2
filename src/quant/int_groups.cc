#include "quant/int_groups.h"

#include <cstring>

#include "quant/group32.h"
#include "quant/k_scales.h"
#include "quant/nibble_tables.h"
#include "quant/unpack.h"

namespace hangar {
namespace {

void copy_values(const std::uint8_t* q, int count, int offset, std::int8_t* values) {
  for (int i = 0; i < count; ++i) values[i] = static_cast<std::int8_t>(q[i] - offset);
}

void k_scales(const std::uint8_t* block, float* scales, float* minimums) {
  std::uint8_t scale[8];
  std::uint8_t minimum[8];
  unpack_k_scales(block + 4, scale, minimum);
  const float d = load_half(block);
  const float dmin = load_half(block + 2);
  for (int group = 0; group < 8; ++group) {
    scales[group] = d * static_cast<float>(scale[group]);
    minimums[group] = -(dmin * static_cast<float>(minimum[group]));
  }
}

void q2_k_scales(const std::uint8_t* block, float* scales, float* minimums) {
  const float d = load_half(block + 80);
  const float dmin = load_half(block + 82);
  for (int group = 0; group < 16; ++group) {
    scales[group] = d * static_cast<float>(block[group] & 15U);
    minimums[group] = -(dmin * static_cast<float>(block[group] >> 4U));
  }
}

void q3_k_scales(const std::uint8_t* block, float* scales, float* minimums) {
  const float d = load_half(block + 108);
  for (int group = 0; group < 16; ++group) {
    scales[group] = d * static_cast<float>(q3_k_scale(block + 96, group));
    minimums[group] = -4.0F * scales[group];
  }
}

void unpack_block(DType dtype, const std::uint8_t* block, std::int8_t* values, float* scales,
                  float* offsets) {
  std::uint8_t q[256];
  switch (dtype) {
    case DType::kQ4_0:
      unpack_q4(block + 2, q);
      copy_values(q, 32, 0, values);
      scales[0] = load_half(block);
      offsets[0] = -8.0F * scales[0];
      return;
    case DType::kQ4_1:
      unpack_q4(block + 4, q);
      copy_values(q, 32, 0, values);
      scales[0] = load_half(block);
      offsets[0] = load_half(block + 2);
      return;
    case DType::kQ5_0:
      unpack_q5(block + 2, block + 6, q);
      copy_values(q, 32, 16, values);
      scales[0] = load_half(block);
      return;
    case DType::kQ5_1:
      unpack_q5(block + 4, block + 8, q);
      copy_values(q, 32, 0, values);
      scales[0] = load_half(block);
      offsets[0] = load_half(block + 2);
      return;
    case DType::kQ8_0:
      std::memcpy(values, block + 2, 32);
      scales[0] = load_half(block);
      return;
    case DType::kQ2_K:
      unpack_q2_k(block + 16, q);
      copy_values(q, 256, 0, values);
      q2_k_scales(block, scales, offsets);
      return;
    case DType::kQ3_K:
      unpack_q3_k(block, block + 32, q);
      copy_values(q, 256, 0, values);
      q3_k_scales(block, scales, offsets);
      return;
    case DType::kQ4_K:
      unpack_q4_k(block + 16, q);
      copy_values(q, 256, 0, values);
      k_scales(block, scales, offsets);
      return;
    case DType::kQ5_K:
      unpack_q5_k(block + 16, block + 48, q);
      copy_values(q, 256, 0, values);
      k_scales(block, scales, offsets);
      return;
    case DType::kQ6_K: {
      unpack_q6_k(block, block + 128, values);
      const float d = load_half(block + 208);
      for (int group = 0; group < 16; ++group) {
        scales[group] = d * static_cast<float>(static_cast<std::int8_t>(block[192 + group]));
      }
      return;
    }
    case DType::kIQ4_NL:
      unpack_table(block + 2, kIq4Values, values);
      scales[0] = load_half(block);
      return;
    case DType::kIQ4_XS:
      for (int group = 0; group < 8; ++group) {
        unpack_table(block + 8 + group * 16, kIq4Values, values + group * 32);
        scales[group] = load_half(block) * static_cast<float>(iq4_xs_scale(block, group));
      }
      return;
    case DType::kMXFP4:
      unpack_table(block + 1, kTwiceE2m1Values, values);
      scales[0] = half_of_e8m0(block[0]);
      return;
    case DType::kInt4G32:
    case DType::kInt8G32: {
      const bool nibbles = dtype == DType::kInt4G32;
      if (nibbles) unpack_q4(block + kGroup32Codes, q);
      copy_values(nibbles ? q : block + kGroup32Codes, 32, nibbles ? 0 : 128, values);
      const Group32 group = load_group32(block);
      scales[0] = group.scale;
      offsets[0] = static_cast<float>(group.zero) - (nibbles ? 0.0F : 128.0F);
      return;
    }
    case DType::kF32:
    case DType::kF16:
    case DType::kBF16:
    case DType::kI32:
    case DType::kF8E4M3:
      return;  // int_group_layout said no
  }
}

}  // namespace

std::optional<IntGroupLayout> int_group_layout(DType dtype) {
  switch (dtype) {
    case DType::kQ4_0:
    case DType::kQ4_1:
    case DType::kQ4_K:
      return IntGroupLayout{.bits = 4, .group = 32, .offset = GroupOffset::kMinimum};
    case DType::kQ2_K:
    case DType::kQ3_K:
      return IntGroupLayout{.bits = 4, .group = 16, .offset = GroupOffset::kMinimum};
    case DType::kInt4G32:
      return IntGroupLayout{.bits = 4, .group = 32, .offset = GroupOffset::kZero};
    case DType::kInt8G32:
      return IntGroupLayout{.bits = 8, .group = 32, .offset = GroupOffset::kZero};
    case DType::kQ5_1:
    case DType::kQ5_K:
      return IntGroupLayout{.bits = 8, .group = 32, .offset = GroupOffset::kMinimum};
    case DType::kQ5_0:
    case DType::kQ8_0:
    case DType::kIQ4_NL:
    case DType::kIQ4_XS:
    case DType::kMXFP4:
      return IntGroupLayout{.bits = 8, .group = 32, .offset = GroupOffset::kNone};
    case DType::kQ6_K:
      return IntGroupLayout{.bits = 8, .group = 16, .offset = GroupOffset::kNone};
    case DType::kF32:
    case DType::kF16:
    case DType::kBF16:
    case DType::kI32:
    case DType::kF8E4M3:
      return std::nullopt;
  }
  return std::nullopt;
}

void unpack_int_groups(DType dtype, const std::byte* row, std::int64_t elements,
                       std::int8_t* values, float* scales, float* offsets) {
  const std::optional<IntGroupLayout> layout = int_group_layout(dtype);
  if (!layout) return;
  const DTypeInfo& info = dtype_info(dtype);
  const std::int64_t groups = info.block_elements / layout->group;
  const std::uint8_t* block = as_bytes(row);
  for (std::int64_t i = 0; i < elements; i += info.block_elements) {
    unpack_block(dtype, block, values, scales, offsets);
    block += info.block_bytes;
    values += info.block_elements;
    scales += groups;
    if (layout->offset != GroupOffset::kNone) offsets += groups;
  }
}

}  // namespace hangar
