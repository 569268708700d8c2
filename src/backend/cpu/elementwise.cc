#include "backend/cpu/elementwise.h"

#include <cmath>

#include "backend/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/elementwise.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "backend/cpu/math-inl.h"
#include "backend/cpu/simd-inl.h"
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

template <typename Gate>
HWY_INLINE void gate_row(float* out, const float* gate, const float* up, std::int64_t n,
                         const Gate& f) {
  const DF df;
  for (std::int64_t i = 0; i < n; i += kLanes) {
    const VF value = f(load_first(df, gate + i, n - i));
    store_first(hn::Mul(value, load_first(df, up + i, n - i)), df, out + i, n - i);
  }
}

void GateMulRow(float* out, const float* gate, const float* up, std::int64_t n, GateFunction f) {
  const DF df;
  switch (f) {
    case GateFunction::kSilu:
      return gate_row(out, gate, up, n, [&](VF g) HWY_ATTR { return silu_of(df, g); });
    case GateFunction::kGeluTanh:
      return gate_row(out, gate, up, n, [&](VF g) HWY_ATTR { return gelu_tanh_of(df, g); });
    case GateFunction::kGelu:
      return gate_row(out, gate, up, n, [&](VF g) HWY_ATTR { return gelu_of(df, g); });
  }
}

void ScaleRow(float* x, float factor, std::int64_t n) {
  const DF df;
  for (std::int64_t i = 0; i < n; i += kLanes) {
    const VF product = hn::Mul(load_first(df, x + i, n - i), hn::Set(df, factor));
    store_first(product, df, x + i, n - i);
  }
}

void SoftcapRow(float* x, float cap, std::int64_t n) {
  const DF df;
  const VF inverse = hn::Set(df, 1.0F / cap);
  for (std::int64_t i = 0; i < n; i += kLanes) {
    const VF inner = hn::Mul(load_first(df, x + i, n - i), inverse);
    store_first(hn::Mul(hn::Set(df, cap), tanh_of(df, inner)), df, x + i, n - i);
  }
}

void AddRow(float* x, const float* y, std::int64_t n) {
  const DF df;
  for (std::int64_t i = 0; i < n; i += kLanes) {
    const VF sum = hn::Add(load_first(df, x + i, n - i), load_first(df, y + i, n - i));
    store_first(sum, df, x + i, n - i);
  }
}

void AddScaledRow(float* x, const float* y, float weight, std::int64_t n) {
  const DF df;
  const VF w = hn::Set(df, weight);
  for (std::int64_t i = 0; i < n; i += kLanes) {
    const VF sum = hn::MulAdd(w, load_first(df, y + i, n - i), load_first(df, x + i, n - i));
    store_first(sum, df, x + i, n - i);
  }
}

}  // namespace hangar::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hangar::cpu {

HWY_EXPORT(RmsNormRow);
HWY_EXPORT(GateMulRow);
HWY_EXPORT(ScaleRow);
HWY_EXPORT(SoftcapRow);
HWY_EXPORT(AddRow);
HWY_EXPORT(AddScaledRow);

void rms_norm_row(float* out, const float* x, const float* weight, std::int64_t n, float eps) {
  HWY_DYNAMIC_DISPATCH(RmsNormRow)(out, x, weight, n, eps);
}
void gate_mul_row(float* out, const float* gate, const float* up, std::int64_t n, GateFunction f) {
  HWY_DYNAMIC_DISPATCH(GateMulRow)(out, gate, up, n, f);
}
void scale_row(float* x, float factor, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(ScaleRow)(x, factor, n);
}
void softcap_row(float* x, float cap, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(SoftcapRow)(x, cap, n);
}
void add_row(float* x, const float* y, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(AddRow)(x, y, n);
}
void add_scaled_row(float* x, const float* y, float weight, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(AddScaledRow)(x, y, weight, n);
}

}  // namespace hangar::cpu
#endif
