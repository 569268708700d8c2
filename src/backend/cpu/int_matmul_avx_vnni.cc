// int_matmul.h for AVX2 with AVX-VNNI: dot products of bytes in 256 bits, on processors without
// AVX-512 (Alder Lake and later).
#if defined(__x86_64__)
#define HANGAR_INT_VARIANT avx_vnni
#define HANGAR_AVX_VNNI
// Of Highway's targets AVX2 alone.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3 | HWY_AVX3_DL)

#include "backend/cpu/int_matmul.h"
#include "backend/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/int_matmul_avx_vnni.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "backend/cpu/simd-inl.h"
#if HWY_TARGET == HWY_AVX2
#include "backend/cpu/int_matmul-inl.h"
#endif

#if HWY_ONCE
namespace hangar::cpu {

void int_matmul_avx_vnni(const IntProduct& product) {
  N_AVX2::avx_vnni::IntMatmul(product);
}

}  // namespace hangar::cpu
#endif
#endif
