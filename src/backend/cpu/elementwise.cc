#include "backend/cpu/elementwise.h"

#include <cmath>

#include "backend/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/elementwise.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "backend/cpu/simd-inl.h"
#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace hangar::cpu::HWY_NAMESPACE {

void RmsNormRow(float* out, const float* x, const float* weight, std::int64_t n, float eps) {
  const DF df;
  VF sum0 = hn::Zero(df);
  VF sum1 = hn::Zero(df);
  std::int64_t i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    const VF a = hn::LoadU(df, x + i);
    const VF b = hn::LoadU(df, x + i + kLanes);
    sum0 = hn::MulAdd(a, a, sum0);
    sum1 = hn::MulAdd(b, b, sum1);
  }
  for (; i < n; i += kLanes) {
    const VF a = load_first(df, x + i, n - i);
    sum0 = hn::MulAdd(a, a, sum0);
  }
  const float mean = sum_of_lanes(df, hn::Add(sum0, sum1)) / static_cast<float>(n);
  const VF factor = hn::Set(df, 1.0F / std::sqrt(mean + eps));
  for (i = 0; i < n; i += kLanes) {
    const VF normed = hn::Mul(load_first(df, x + i, n - i), factor);
    store_first(hn::Mul(normed, load_first(df, weight + i, n - i)), df, out + i, n - i);
  }
}

void SiluMulRow(float* out, const float* gate, const float* up, std::int64_t n) {
  const DF df;
  const VF one = hn::Set(df, 1.0F);
  const VF most = hn::Set(df, 88.0F);  // e^88 is still finite
  for (std::int64_t i = 0; i < n; i += kLanes) {
    const VF g = load_first(df, gate + i, n - i);
    const VF e = hn::Exp(df, hn::Min(hn::Neg(g), most));
    const VF silu = hn::Div(g, hn::Add(one, e));
    store_first(hn::Mul(silu, load_first(df, up + i, n - i)), df, out + i, n - i);
  }
}

void AddRow(float* x, const float* y, std::int64_t n) {
  const DF df;
  for (std::int64_t i = 0; i < n; i += kLanes) {
    const VF sum = hn::Add(load_first(df, x + i, n - i), load_first(df, y + i, n - i));
    store_first(sum, df, x + i, n - i);
  }
}

}  // namespace hangar::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hangar::cpu {

HWY_EXPORT(RmsNormRow);
HWY_EXPORT(SiluMulRow);
HWY_EXPORT(AddRow);

void rms_norm_row(float* out, const float* x, const float* weight, std::int64_t n, float eps) {
  HWY_DYNAMIC_DISPATCH(RmsNormRow)(out, x, weight, n, eps);
}
void silu_mul_row(float* out, const float* gate, const float* up, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(SiluMulRow)(out, gate, up, n);
}
void add_row(float* x, const float* y, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(AddRow)(x, y, n);
}

}  // namespace hangar::cpu
#endif
