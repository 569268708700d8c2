// Dot products of unsigned weight bytes and signed activation bytes, 4 to a 32-bit lane, for each
// instruction set.
//
// Promise: finish(step(... start(init) ...)) is init + sum of w * x where init = -zero_point * sum
//   of x: the exact product with w - zero_point. Dot4 takes w in 0..15, at most 8 steps between
//   start and finish; Dot8 takes w in 0..255. x is in -127..127 (the sums of 16 bits rely on it).
// Method: VNNI has the instruction. Without it vpmaddubsw sums two products in 16 bits: 8 steps of
//   4-bit weights fit (8 * 2 * 15 * 127 = 30480); 8-bit weights are made signed and their sign
//   moved to x, so that 2 * 128 * 127 fits.
// Threads: pure functions.

#if defined(HANGAR_BACKEND_CPU_INT_DOT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HANGAR_BACKEND_CPU_INT_DOT_INL_H_
#undef HANGAR_BACKEND_CPU_INT_DOT_INL_H_
#else
#define HANGAR_BACKEND_CPU_INT_DOT_INL_H_
#endif

#include "backend/cpu/int_variant.h"
#include "backend/cpu/simd-inl.h"

#if HWY_TARGET == HWY_NEON
#include "backend/cpu/int_dot_arm-inl.h"
#endif

HWY_BEFORE_NAMESPACE();
namespace hangar::cpu::HWY_NAMESPACE {
inline namespace HANGAR_INT_VARIANT {

#if HWY_TARGET == HWY_AVX3_DL || defined(HANGAR_AVX_VNNI)

struct DotVnni {
  using Weights = VI;
  static HWY_INLINE Weights prepare(VI w) { return w; }
  static HWY_INLINE VI start(VI init) { return init; }
  static HWY_INLINE VI step(VI sum, Weights w, VI x) {
#if HWY_TARGET == HWY_AVX3_DL
    return VI{_mm512_dpbusd_epi32(sum.raw, w.raw, x.raw)};
#else
    return VI{_mm256_dpbusd_avx_epi32(sum.raw, w.raw, x.raw)};
#endif
  }
  static HWY_INLINE VI finish(VI sum, VI /*init*/) { return sum; }
};
using Dot4 = DotVnni;
using Dot8 = DotVnni;

#elif HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_SSE4

#if HWY_TARGET == HWY_AVX3
HWY_INLINE VI maddubs(VI w, VI x) {
  return VI{_mm512_maddubs_epi16(w.raw, x.raw)};
}
HWY_INLINE VI add16(VI a, VI b) {
  return VI{_mm512_add_epi16(a.raw, b.raw)};
}
HWY_INLINE VI pair_sums(VI a) {
  return VI{_mm512_madd_epi16(a.raw, _mm512_set1_epi16(1))};
}
HWY_INLINE VI abs8(VI a) {
  return VI{_mm512_abs_epi8(a.raw)};
}
HWY_INLINE VI with_sign_of(VI w, VI x) {
  return VI{_mm512_mask_sub_epi8(x.raw, _mm512_movepi8_mask(w.raw), _mm512_setzero_si512(), x.raw)};
}
#elif HWY_TARGET == HWY_AVX2
HWY_INLINE VI maddubs(VI w, VI x) {
  return VI{_mm256_maddubs_epi16(w.raw, x.raw)};
}
HWY_INLINE VI add16(VI a, VI b) {
  return VI{_mm256_add_epi16(a.raw, b.raw)};
}
HWY_INLINE VI pair_sums(VI a) {
  return VI{_mm256_madd_epi16(a.raw, _mm256_set1_epi16(1))};
}
HWY_INLINE VI abs8(VI a) {
  return VI{_mm256_abs_epi8(a.raw)};
}
HWY_INLINE VI with_sign_of(VI w, VI x) {
  return VI{_mm256_sign_epi8(x.raw, w.raw)};
}
#else
HWY_INLINE VI maddubs(VI w, VI x) {
  return VI{_mm_maddubs_epi16(w.raw, x.raw)};
}
HWY_INLINE VI add16(VI a, VI b) {
  return VI{_mm_add_epi16(a.raw, b.raw)};
}
HWY_INLINE VI pair_sums(VI a) {
  return VI{_mm_madd_epi16(a.raw, _mm_set1_epi16(1))};
}
HWY_INLINE VI abs8(VI a) {
  return VI{_mm_abs_epi8(a.raw)};
}
HWY_INLINE VI with_sign_of(VI w, VI x) {
  return VI{_mm_sign_epi8(x.raw, w.raw)};
}
#endif

// The compiler would make a tree of a chain of sums, and spill its many leaves.
HWY_INLINE VI keep_order(VI a) {
  __asm__("" : "+x"(a.raw));
  return a;
}

struct Dot4 {
  using Weights = VI;
  static HWY_INLINE Weights prepare(VI w) { return w; }
  static HWY_INLINE VI start(VI /*init*/) { return hn::Zero(DI()); }
  static HWY_INLINE VI step(VI sum, Weights w, VI x) {
    return keep_order(add16(sum, maddubs(w, x)));
  }
  static HWY_INLINE VI finish(VI sum, VI init) { return hn::Add(init, pair_sums(sum)); }
};

struct Dot8 {
  struct Weights {
    VI value;
    VI magnitude;
  };
  static HWY_INLINE Weights prepare(VI w) {
    const VI value = hn::Xor(w, hn::Set(DI(), static_cast<std::int32_t>(0x80808080U)));
    return {value, abs8(value)};
  }
  static HWY_INLINE VI start(VI /*init*/) { return hn::Zero(DI()); }
  static HWY_INLINE VI step(VI sum, const Weights& w, VI x) {
    return keep_order(hn::Add(sum, pair_sums(maddubs(w.magnitude, with_sign_of(w.value, x)))));
  }
  static HWY_INLINE VI finish(VI sum, VI /*init*/) { return sum; }
};

#elif HWY_TARGET != HWY_NEON  // scalar, emulated and other machines: byte by byte in each lane

struct DotPortable {
  using Weights = VI;
  static HWY_INLINE Weights prepare(VI w) { return w; }
  static HWY_INLINE VI start(VI init) { return init; }
  static HWY_INLINE VI step(VI sum, Weights w, VI x) {
    const VI low = hn::Set(DI(), 255);
    sum = hn::Add(sum, hn::Mul(hn::And(w, low), hn::ShiftRight<24>(hn::ShiftLeft<24>(x))));
    sum = hn::Add(
        sum, hn::Mul(hn::And(hn::ShiftRight<8>(w), low), hn::ShiftRight<24>(hn::ShiftLeft<16>(x))));
    sum = hn::Add(
        sum, hn::Mul(hn::And(hn::ShiftRight<16>(w), low), hn::ShiftRight<24>(hn::ShiftLeft<8>(x))));
    return hn::Add(sum, hn::Mul(hn::And(hn::ShiftRight<24>(w), low), hn::ShiftRight<24>(x)));
  }
  static HWY_INLINE VI finish(VI sum, VI /*init*/) { return sum; }
};
using Dot4 = DotPortable;
using Dot8 = DotPortable;

#endif

}  // namespace HANGAR_INT_VARIANT
}  // namespace hangar::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
