// 4-bit strips on the host, for tests: packed, quantized and read number by number, as int4.h and
// int4_pack.h promise it.
//
// Promise: slow and plain, by int4_place() alone: the same bytes as the card's kernels make.
// Threads: values.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "backend/cuda/int4.h"
#include "backend/cuda/int4_pack.h"
#include "quant/dequantize.h"
#include "quant/group32.h"
#include "quant/int_groups.h"
#include "quant/k_scales.h"
#include "quant/view_rows.h"
#include "tensor/float16.h"
#include "tensor/tensor_view.h"

namespace hangar::cuda {

inline float half_rounded(float value) {
  return half_to_float(float_to_half(value));
}
// As quantize_int4() rounds scales.
inline float half_held(float value) {
  return half_rounded(std::clamp(value, -65504.0F, 65504.0F));
}

class HostStrips {
 public:
  HostStrips(Int4Form form, std::int64_t rows, std::int64_t columns)
      : form_(form),
        rows_(rows),
        columns_(columns),
        bytes_(static_cast<std::size_t>(int4_bytes(form, rows, columns))) {}

  const std::vector<std::uint8_t>& bytes() const { return bytes_; }
  std::vector<std::uint8_t>& bytes() { return bytes_; }
  bool zeros() const { return form_ == Int4Form::kZero128 || form_ == Int4Form::kZero32; }

  int code(std::int64_t row, std::int64_t column) const {
    return bytes_[place(row, column)] >> shift(row) & 15;
  }
  void set_code(std::int64_t row, std::int64_t column, int u) {
    bytes_[place(row, column)] |= static_cast<std::uint8_t>(u << shift(row));
  }
  // A scale and its zero or minimum, of column's group; in the forms of pairs.
  void set_pair(std::int64_t row, std::int64_t column, float scale, float other) {
    const std::uint16_t halves[] = {float_to_half(scale), float_to_half(other)};
    std::memcpy(pair_at(row, column), halves, sizeof(halves));
  }
  // kSuper32: d and e of a row in a block; s and m of a group.
  void set_units(std::int64_t row, std::int64_t column, float d, float e) {
    const std::uint16_t halves[] = {float_to_half(d), float_to_half(e)};
    std::memcpy(row_at(row, column), halves, sizeof(halves));
  }
  void set_factors(std::int64_t row, std::int64_t column, int s, int m) {
    std::uint8_t* at = row_at(row, column) + 4 + column % kInt4Columns / 32;
    at[0] = static_cast<std::uint8_t>(s);
    at[4] = static_cast<std::uint8_t>(m);
  }

  struct Scales {
    float scale;
    float other;
  };
  Scales scales(std::int64_t row, std::int64_t column) {
    std::uint16_t halves[2];
    if (form_ != Int4Form::kSuper32) {
      std::memcpy(halves, pair_at(row, column), sizeof(halves));
      return {half_to_float(halves[0]), half_to_float(halves[1])};
    }
    const std::uint8_t* at = row_at(row, column);
    std::memcpy(halves, at, sizeof(halves));
    at += 4 + column % kInt4Columns / 32;
    return {half_to_float(halves[0]) * static_cast<float>(at[0]),
            -(half_to_float(halves[1]) * static_cast<float>(at[4]))};
  }
  float value(std::int64_t row, std::int64_t column) {
    const auto u = static_cast<float>(code(row, column));
    const Scales s = scales(row, column);
    if (zeros()) return s.scale * (u - s.other);
    const float product = s.scale * u;  // a statement of its own: not fused
    return product + s.other;
  }
  std::vector<float> values() {
    std::vector<float> all;
    for (std::int64_t r = 0; r < rows_; ++r) {
      for (std::int64_t c = 0; c < columns_; ++c) all.push_back(value(r, c));
    }
    return all;
  }

 private:
  static int shift(std::int64_t row) { return row % kInt4Strip < 8 ? 0 : 4; }
  std::size_t block_at(std::int64_t row, std::int64_t column) const {
    const std::int64_t block =
        row / kInt4Strip * int4_column_blocks(columns_) + column / kInt4Columns;
    return static_cast<std::size_t>(block * int4_block_bytes(form_));
  }
  std::size_t place(std::int64_t row, std::int64_t column) const {
    return block_at(row, column) +
           static_cast<std::size_t>(int4_place(static_cast<int>(row % kInt4Strip),
                                               static_cast<int>(column % kInt4Columns)));
  }
  std::uint8_t* row_at(std::int64_t row, std::int64_t column) {
    const std::int64_t at = kInt4NumberBytes + row % kInt4Strip * int4_row_bytes(form_);
    return bytes_.data() + block_at(row, column) + at;
  }
  std::uint8_t* pair_at(std::int64_t row, std::int64_t column) {
    const std::int64_t group = form_ == Int4Form::kZero128 ? 0 : column % kInt4Columns / 32;
    return row_at(row, column) + 4 * group;
  }

  Int4Form form_;
  std::int64_t rows_;
  std::int64_t columns_;
  std::vector<std::uint8_t> bytes_;
};

// Of a view that packed_form() knows.
inline HostStrips packed_on_host(const TensorView& view) {
  const Int4Form form = packed_form(view).value();
  HostStrips strips(form, view.rows(), view.columns());
  const std::size_t stride = row_bytes(view.dtype, view.columns());
  const auto columns = static_cast<std::size_t>(view.columns());
  std::vector<std::int8_t> codes(columns);
  std::vector<float> scales(columns / 32);
  std::vector<float> offsets(columns / 32);
  for (std::int64_t r = 0; r < view.rows(); ++r) {
    const std::byte* row = view.data.data() + static_cast<std::size_t>(r) * stride;
    unpack_int_groups(view.dtype, row, view.columns(), codes.data(), scales.data(), offsets.data());
    for (std::int64_t c = 0; c < view.columns(); ++c) {
      const auto at = static_cast<std::size_t>(c);
      strips.set_code(r, c, codes[at]);
      if (c % 32 != 0) continue;
      if (view.dtype == DType::kQ4_K) {
        const auto* block = reinterpret_cast<const std::uint8_t*>(row) + c / 256 * 144;
        std::uint16_t halves[2];
        std::memcpy(halves, block, sizeof(halves));
        strips.set_units(r, c, half_to_float(halves[0]), half_to_float(halves[1]));
        std::uint8_t s[8];
        std::uint8_t m[8];
        unpack_k_scales(block + 4, s, m);
        strips.set_factors(r, c, s[at % 256 / 32], m[at % 256 / 32]);
      } else if (form != Int4Form::kZero128 || c % kInt4Columns == 0) {
        strips.set_pair(r, c, scales[at / 32],
                        view.dtype == DType::kQ4_0 ? 8.0F : offsets[at / 32]);
      }
    }
  }
  return strips;
}

// As quantize_int4(), of values {rows, columns}.
inline HostStrips quantized_on_host(Int4Form form, std::span<const float> values, std::int64_t rows,
                                    std::int64_t columns) {
  HostStrips strips(form, rows, columns);
  const auto rounded = [](float x) { return std::nearbyint(x); };
  const auto factor = [&](float value, float unit) {
    return unit == 0.0F ? 0.0F : std::clamp(rounded(value / unit), 0.0F, 63.0F);
  };
  const std::int64_t group = form == Int4Form::kZero128 ? 128 : 32;
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* row = values.data() + r * columns;
    // + 0: not the negative one.
    const auto lowest = [&](std::int64_t c) {
      return *std::min_element(row + c, row + std::min(columns, c + group)) + 0.0F;
    };
    const auto highest = [&](std::int64_t c) {
      return *std::max_element(row + c, row + std::min(columns, c + group)) + 0.0F;
    };
    const auto range_scale = [&](std::int64_t c) {  // of kSuper32
      return std::max(highest(c) - std::min(lowest(c), 0.0F), 0.0F) / 15.0F;
    };
    const auto depth = [&](std::int64_t c) { return 0.0F - std::min(lowest(c), 0.0F); };
    for (std::int64_t begin = 0; begin < columns; begin += group) {
      const std::int64_t end = std::min(columns, begin + group);
      float scale = 0.0F;
      float minimum = 0.0F;
      float zero = 0.0F;
      if (form == Int4Form::kSuper32) {
        const std::int64_t first = begin / kInt4Columns * kInt4Columns;
        float most_scale = 0.0F;
        float most_depth = 0.0F;
        for (std::int64_t c = first; c < std::min(columns, first + kInt4Columns); c += 32) {
          most_scale = std::max(most_scale, range_scale(c));
          most_depth = std::max(most_depth, depth(c));
        }
        const float d = half_held(most_scale / 63.0F);
        const float e = half_held(most_depth / 63.0F);
        const float s = factor(range_scale(begin), d);
        const float m = factor(depth(begin), e);
        strips.set_units(r, begin, d, e);
        strips.set_factors(r, begin, static_cast<int>(s), static_cast<int>(m));
        scale = d * s;
        minimum = -(e * m);
      } else if (strips.zeros()) {
        const float low = std::min(lowest(begin), 0.0F);
        scale = half_held((std::max(highest(begin), 0.0F) - low) / 15.0F);
        if (scale > 0.0F) zero = std::clamp(rounded((0.0F - low) / scale), 0.0F, 15.0F);
        strips.set_pair(r, begin, scale, zero);
      } else {
        minimum = half_held(lowest(begin));
        scale = half_held(std::max(highest(begin) - minimum, 0.0F) / 15.0F);
        strips.set_pair(r, begin, scale, minimum);
      }
      for (std::int64_t c = begin; c < end && scale != 0.0F; ++c) {
        const float u = std::clamp(rounded((row[c] - minimum) / scale) + zero, 0.0F, 15.0F);
        strips.set_code(r, c, static_cast<int>(u));
      }
    }
  }
  return strips;
}

// Every number as the view stands for it.
inline std::vector<float> dequantized(const TensorView& view) {
  std::vector<float> values(static_cast<std::size_t>(view.elements()));
  for (std::int64_t r = 0; r < view.rows(); ++r) {
    dequantize_view_row(view, r, values.data() + r * view.columns());
  }
  return values;
}

}  // namespace hangar::cuda
