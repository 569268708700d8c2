#include "backend/cpu/rope.h"

#include <algorithm>
#include <cmath>

#include "backend/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/rope.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "backend/cpu/simd-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace hangar::cpu::HWY_NAMESPACE {

void rotate_halves(float* x, const float* cosines, const float* sines, std::int64_t pairs) {
  const DF df;
  for (std::int64_t i = 0; i < pairs; i += kLanes) {
    const std::int64_t n = pairs - i;
    const VF a = load_first(df, x + i, n);
    const VF b = load_first(df, x + pairs + i, n);
    const VF c = load_first(df, cosines + i, n);
    const VF s = load_first(df, sines + i, n);
    store_first(hn::Sub(hn::Mul(a, c), hn::Mul(b, s)), df, x + i, n);
    store_first(hn::Add(hn::Mul(a, s), hn::Mul(b, c)), df, x + pairs + i, n);
  }
}

void rotate_neighbours(float* x, const float* cosines, const float* sines, std::int64_t pairs) {
#if HWY_TARGET == HWY_SCALAR
  for (std::int64_t i = 0; i < 2 * pairs; i += 2) {
    const float a = x[i];
    const float b = x[i + 1];
    x[i] = a * cosines[i] + b * sines[i];
    x[i + 1] = b * cosines[i + 1] + a * sines[i + 1];
  }
#else
  const DF df;
  for (std::int64_t i = 0; i < 2 * pairs; i += kLanes) {
    const std::int64_t n = 2 * pairs - i;
    const VF v = load_first(df, x + i, n);
    const VF turned = hn::Mul(hn::Shuffle2301(v), load_first(df, sines + i, n));
    store_first(hn::MulAdd(v, load_first(df, cosines + i, n), turned), df, x + i, n);
  }
#endif
}

void RopeRow(float* x, std::int64_t heads, std::int64_t head_dim, const float* angles,
             std::int64_t pairs, bool interleaved) {
  for (std::int64_t h = 0; h < heads; ++h, x += head_dim) {
    if (interleaved) {
      rotate_neighbours(x, angles, angles + 2 * pairs, pairs);
    } else {
      rotate_halves(x, angles, angles + pairs, pairs);
    }
  }
}

}  // namespace hangar::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hangar::cpu {

HWY_EXPORT(RopeRow);

void rope_row(float* x, std::int64_t heads, std::int64_t head_dim, const float* angles,
              std::int64_t pairs, bool interleaved) {
  HWY_DYNAMIC_DISPATCH(RopeRow)(x, heads, head_dim, angles, pairs, interleaved);
}

void RopeAngles::prepare(std::span<const std::int32_t> positions, const RopeTable& table) {
  if (std::ranges::equal(positions, positions_) && table.magnitude == table_.magnitude &&
      table.interleaved == table_.interleaved &&
      table.inverse_frequency == table_.inverse_frequency) {
    return;
  }
  positions_.assign(positions.begin(), positions.end());
  table_ = table;
  values_.resize(positions.size() * static_cast<std::size_t>(row_floats()));
  float* out = values_.data();
  const std::int64_t n = pairs();
  for (const std::int32_t position : positions) {
    for (std::int64_t i = 0; i < n; ++i) {
      // Rounded to float before the sine is taken, as in the reference.
      const float angle =
          static_cast<float>(position) * table.inverse_frequency[static_cast<std::size_t>(i)];
      const auto cosine =
          static_cast<float>(std::cos(static_cast<double>(angle)) * table.magnitude);
      const auto sine = static_cast<float>(std::sin(static_cast<double>(angle)) * table.magnitude);
      if (table.interleaved) {
        out[2 * i] = cosine;
        out[2 * i + 1] = cosine;
        out[2 * n + 2 * i] = -sine;
        out[2 * n + 2 * i + 1] = sine;
      } else {
        out[i] = cosine;
        out[n + i] = sine;
      }
    }
    out += row_floats();
  }
}

}  // namespace hangar::cpu
#endif
