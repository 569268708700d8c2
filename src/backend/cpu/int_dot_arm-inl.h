// int_dot-inl.h's dot products for 64-bit Arm as every processor has it. Where there are dot
// product instructions, int_matmul_arm-inl.h does all instead.
//
// Promise: as int_dot-inl.h.
// Method: products of 16 bits, added two by two: the sum of two 8-bit weights' products fits
//   (2 * 128 * 127, weights made signed first), as do 8 steps of 4-bit weights (8 * 2 * 15 * 127).
// Threads: pure functions.

#if defined(HANGAR_BACKEND_CPU_INT_DOT_ARM_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HANGAR_BACKEND_CPU_INT_DOT_ARM_INL_H_
#undef HANGAR_BACKEND_CPU_INT_DOT_ARM_INL_H_
#else
#define HANGAR_BACKEND_CPU_INT_DOT_ARM_INL_H_
#endif

#include <arm_neon.h>

#include "backend/cpu/int_variant.h"
#include "backend/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace hangar::cpu::HWY_NAMESPACE {
inline namespace HANGAR_INT_VARIANT {

HWY_INLINE int8x16_t signed_bytes(VI a) {
  return vreinterpretq_s8_s32(a.raw);
}

// Each lane: two sums of 16 bits, of its bytes' products two by two.
HWY_INLINE int16x8_t pair_products(VI w, VI x) {
  const int8x16_t a = signed_bytes(w);
  const int8x16_t b = signed_bytes(x);
  return vpaddq_s16(vmull_s8(vget_low_s8(a), vget_low_s8(b)), vmull_high_s8(a, b));
}

struct Dot4 {
  using Weights = VI;
  static HWY_INLINE Weights prepare(VI w) { return w; }
  static HWY_INLINE VI start(VI /*init*/) { return hn::Zero(DI()); }
  static HWY_INLINE VI step(VI sum, Weights w, VI x) {
    return VI(
        vreinterpretq_s32_s16(vaddq_s16(vreinterpretq_s16_s32(sum.raw), pair_products(w, x))));
  }
  static HWY_INLINE VI finish(VI sum, VI init) {
    return VI(vpadalq_s16(init.raw, vreinterpretq_s16_s32(sum.raw)));
  }
};

struct Dot8 {
  using Weights = VI;
  static HWY_INLINE Weights prepare(VI w) {
    return hn::Xor(w, hn::Set(DI(), static_cast<std::int32_t>(0x80808080U)));
  }
  static HWY_INLINE VI start(VI /*init*/) { return hn::Zero(DI()); }
  static HWY_INLINE VI step(VI sum, Weights w, VI x) {
    return VI(vpadalq_s16(sum.raw, pair_products(w, x)));
  }
  static HWY_INLINE VI finish(VI sum, VI /*init*/) { return sum; }
};

}  // namespace HANGAR_INT_VARIANT
}  // namespace hangar::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
