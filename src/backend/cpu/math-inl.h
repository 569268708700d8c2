// Functions of float vectors that Highway has not, or not as exactly as the kernels want.
//
// Promise: relative error of silu, gelu and gelu_tanh about 1e-6 where e^-x does not dominate,
// never
//   worse than the rounding of its exponent; tanh within a few units in the last place, +-1 beyond.
//   A lane's result depends on that lane alone.
// Include like simd-inl.h: after foreach_target.h, once for each instruction set.
#if defined(HANGAR_BACKEND_CPU_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HANGAR_BACKEND_CPU_MATH_INL_H_
#undef HANGAR_BACKEND_CPU_MATH_INL_H_
#else
#define HANGAR_BACKEND_CPU_MATH_INL_H_
#endif

#include "backend/cpu/simd-inl.h"
#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace hangar::cpu::HWY_NAMESPACE {

// x / (1 + e^-y). e^88 is still finite.
HWY_INLINE VF times_sigmoid(DF d, VF x, VF y) {
  const VF e = hn::Exp(d, hn::Min(hn::Neg(y), hn::Set(d, 88.0F)));
  return hn::Div(x, hn::Add(hn::Set(d, 1.0F), e));
}

HWY_INLINE VF silu_of(DF d, VF x) {
  return times_sigmoid(d, x, x);
}

// (1 + tanh(a)) / 2 is the sigmoid of 2a, without the cancellation where tanh nears -1.
HWY_INLINE VF gelu_tanh_of(DF d, VF x) {
  constexpr float kTwice = 1.5957691216F;  // 2 sqrt(2 / pi)
  const VF square = hn::Mul(x, x);
  const VF factor = hn::MulAdd(square, hn::Set(d, kTwice * 0.044715F), hn::Set(d, kTwice));
  return times_sigmoid(d, x, hn::Mul(x, factor));
}

// x/2 erfc(-x / sqrt 2). For z >= 0, erfc(z) = e^(-z^2) t P(t) with t = 1 / (1 + z / 2): P is a
// least-squares fit of the relative error over t in [0.12, 1], 5e-8 before rounding; for negative
// arguments erfc(-z) = 2 - erfc(z).
HWY_INLINE VF gelu_of(DF d, VF x) {
  constexpr float kFit[] = {0.282083684F,  0.282425647F,   0.242720785F,
                            0.204264107F,  -0.0304871229F, 0.283847389F,
                            -0.492388739F, 0.28713938F,    -0.0596051756F};
  const VF one = hn::Set(d, 1.0F);
  // Beyond 14 erfc is zero in float.
  const VF z = hn::Min(hn::Mul(hn::Abs(x), hn::Set(d, 0.70710678F)), hn::Set(d, 14.0F));
  const VF t = hn::Div(one, hn::MulAdd(z, hn::Set(d, 0.5F), one));
  VF p = hn::Set(d, kFit[8]);
  HANGAR_UNROLL
  for (int i = 7; i >= 0; --i) p = hn::MulAdd(p, t, hn::Set(d, kFit[i]));
  const VF tail = hn::Mul(hn::Mul(hn::Exp(d, hn::Neg(hn::Mul(z, z))), t), p);
  const VF erfc = hn::IfThenElse(hn::Gt(x, hn::Zero(d)), hn::Sub(hn::Set(d, 2.0F), tail), tail);
  return hn::Mul(hn::Mul(x, hn::Set(d, 0.5F)), erfc);
}

// Highway's own, kept away from arguments whose e^2x is no float.
HWY_INLINE VF tanh_of(DF d, VF x) {
  return hn::Tanh(d, hn::Clamp(x, hn::Set(d, -20.0F), hn::Set(d, 20.0F)));
}

}  // namespace hangar::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
