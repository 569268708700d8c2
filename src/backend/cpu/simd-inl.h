// Small vector helpers shared by the kernels; included once per instruction set.
//
// Promise: load_first and store_first touch only the first `count` lanes in memory, so that rows of
//   any width are read and written whole; lanes beyond are zero.
// Threads: pure functions.

#if defined(HANGAR_BACKEND_CPU_SIMD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HANGAR_BACKEND_CPU_SIMD_INL_H_
#undef HANGAR_BACKEND_CPU_SIMD_INL_H_
#else
#define HANGAR_BACKEND_CPU_SIMD_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "backend/cpu/simd.h"
#include "hwy/highway.h"

// Highway 1.0.3 names AVX-VNNI (the 256-bit form) where it checks for AVX512-VNNI, which is what
// the kernels use: this adds it to what the functions below may be compiled to.
#if HWY_TARGET == HWY_AVX3_DL && !defined(__AVX512VNNI__)
#undef HWY_TARGET_STR
#define HWY_TARGET_STR \
  HWY_TARGET_STR_AVX3  \
  ",vpclmulqdq,avx512vbmi,avx512vbmi2,vaes,avxvnni,avx512bitalg,avx512vpopcntdq,avx512vnni"
#endif
#if HWY_TARGET == HWY_AVX2 && defined(HANGAR_AVX_VNNI)
#undef HWY_TARGET_STR
#define HWY_TARGET_STR HWY_TARGET_STR_AVX2 ",avxvnni"
#endif

HWY_BEFORE_NAMESPACE();
namespace hangar::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// At most 16 float lanes: one AVX-512 register, one panel of weights.
using DF = hn::CappedTag<float, 16>;
using DI = hn::RebindToSigned<DF>;
using VF = hn::Vec<DF>;
using VI = hn::Vec<DI>;
inline constexpr std::int64_t kLanes = static_cast<std::int64_t>(hn::MaxLanes(DF()));

HWY_INLINE VF load_first(DF d, const float* from, std::int64_t count) {
  if (count >= kLanes) return hn::LoadU(d, from);
  alignas(64) float lanes[16] = {};
  std::memcpy(lanes, from, static_cast<std::size_t>(count) * sizeof(float));
  return hn::Load(d, lanes);
}

HWY_INLINE void store_first(VF v, DF d, float* to, std::int64_t count) {
  if (count >= kLanes) {
    hn::StoreU(v, d, to);
    return;
  }
  alignas(64) float lanes[16];
  hn::Store(v, d, lanes);
  std::memcpy(to, lanes, static_cast<std::size_t>(count) * sizeof(float));
}

// kLanes stored numbers as floats.
HWY_INLINE VF load_promoted(DF d, const float* from) {
  return hn::LoadU(d, from);
}
HWY_INLINE VF load_promoted(DF d, const hwy::float16_t* from) {
  return hn::PromoteTo(d, hn::LoadU(hn::Rebind<hwy::float16_t, DF>(), from));
}
HWY_INLINE VF load_promoted(DF d, const hwy::bfloat16_t* from) {
  return hn::PromoteTo(d, hn::LoadU(hn::Rebind<hwy::bfloat16_t, DF>(), from));
}

HWY_INLINE VF load_promoted(DF d, const std::int8_t* from) {
  return hn::ConvertTo(d, hn::PromoteTo(DI(), hn::LoadU(hn::Rebind<std::int8_t, DF>(), from)));
}

HWY_INLINE float sum_of_lanes(DF d, VF v) {
  return hn::GetLane(hn::SumOfLanes(d, v));
}
HWY_INLINE float max_of_lanes(DF d, VF v) {
#if HWY_TARGET == HWY_EMU128
  // Highway 1.0.3 starts from the least finite number there: minus infinity would become that.
  alignas(64) float lanes[16];
  hn::Store(v, d, lanes);
  float most = lanes[0];
  for (std::int64_t i = 1; i < kLanes; ++i) most = lanes[i] > most ? lanes[i] : most;
  return most;
#else
  return hn::GetLane(hn::MaxOfLanes(d, v));
#endif
}

}  // namespace hangar::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
