#include "peak_loops.h"

#include "backend/cpu/amx.h"
#include "backend/cpu/instruction_set.h"
#include "hwy/detect_targets.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

// The compiler must take the value for used, and for changed.
#if defined(__aarch64__)
#define HANGAR_KEEP(v) asm volatile("" : "+w"(v))
#else
#define HANGAR_KEEP(v) asm volatile("" : "+x"(v))
#define HANGAR_KEEP_512(v) asm volatile("" : "+v"(v))
#endif

namespace hangar::bench {
namespace {

// Twelve sums hide the instructions' latency and leave registers for operands.
constexpr int kSums = 12;

#if defined(__x86_64__)

__attribute__((target("sse4.1"))) std::int64_t int8_sse(std::int64_t turns) {
  __m128i sum[kSums] = {};
  __m128i w = _mm_set1_epi8(3);
  const __m128i x = _mm_set1_epi8(5);
  for (std::int64_t t = 0; t < turns; ++t) {
    HANGAR_KEEP(w);
#pragma GCC unroll 12
    for (auto& s : sum) s = _mm_add_epi16(s, _mm_maddubs_epi16(w, x));
#pragma GCC unroll 12
    for (auto& s : sum) HANGAR_KEEP(s);
  }
  return turns * kSums * 16;
}

__attribute__((target("avx2"))) std::int64_t int8_avx2(std::int64_t turns) {
  __m256i sum[kSums] = {};
  __m256i w = _mm256_set1_epi8(3);
  const __m256i x = _mm256_set1_epi8(5);
  for (std::int64_t t = 0; t < turns; ++t) {
    HANGAR_KEEP(w);
#pragma GCC unroll 12
    for (auto& s : sum) s = _mm256_add_epi16(s, _mm256_maddubs_epi16(w, x));
#pragma GCC unroll 12
    for (auto& s : sum) HANGAR_KEEP(s);
  }
  return turns * kSums * 32;
}

__attribute__((target("avx2,avxvnni"))) std::int64_t int8_avx_vnni(std::int64_t turns) {
  __m256i sum[kSums] = {};
  const __m256i w = _mm256_set1_epi8(3);
  const __m256i x = _mm256_set1_epi8(5);
  for (std::int64_t t = 0; t < turns; ++t) {
#pragma GCC unroll 12
    for (auto& s : sum) s = _mm256_dpbusd_avx_epi32(s, w, x);
#pragma GCC unroll 12
    for (auto& s : sum) HANGAR_KEEP(s);
  }
  return turns * kSums * 32;
}

__attribute__((target("avx512f,avx512bw"))) std::int64_t int8_avx512(std::int64_t turns) {
  __m512i sum[kSums] = {};
  __m512i w = _mm512_set1_epi8(3);
  const __m512i x = _mm512_set1_epi8(5);
  for (std::int64_t t = 0; t < turns; ++t) {
    HANGAR_KEEP_512(w);
#pragma GCC unroll 12
    for (auto& s : sum) s = _mm512_add_epi16(s, _mm512_maddubs_epi16(w, x));
#pragma GCC unroll 12
    for (auto& s : sum) HANGAR_KEEP_512(s);
  }
  return turns * kSums * 64;
}

__attribute__((target("avx512f,avx512vnni"))) std::int64_t int8_avx512_vnni(std::int64_t turns) {
  __m512i sum[kSums] = {};
  const __m512i w = _mm512_set1_epi8(3);
  const __m512i x = _mm512_set1_epi8(5);
  for (std::int64_t t = 0; t < turns; ++t) {
#pragma GCC unroll 12
    for (auto& s : sum) s = _mm512_dpbusd_epi32(s, w, x);
#pragma GCC unroll 12
    for (auto& s : sum) HANGAR_KEEP_512(s);
  }
  return turns * kSums * 64;
}

__attribute__((target("avx512f,avx512bf16"))) std::int64_t bf16_avx512(std::int64_t turns) {
  __m512 sum[kSums] = {};
  const auto one = reinterpret_cast<__m512bh>(_mm512_set1_epi32(0x3F803F80));
  for (std::int64_t t = 0; t < turns; ++t) {
#pragma GCC unroll 12
    for (auto& s : sum) s = _mm512_dpbf16_ps(s, one, one);
#pragma GCC unroll 12
    for (auto& s : sum) HANGAR_KEEP_512(s);
  }
  return turns * kSums * 32;
}

// All eight tiles as 16 rows of 64 bytes; what they hold does not matter to the speed.
template <bool kInt8>
std::int64_t tiles(std::int64_t turns) {
  using Tiles = cpu::HardwareTiles;
  cpu::TileScope scope;
  scope.use(cpu::TileLayout::kBf16);
  Tiles::zero<4>();
  Tiles::zero<5>();
  Tiles::zero<6>();
  Tiles::zero<7>();
  for (std::int64_t t = 0; t < turns; ++t) {
    if constexpr (kInt8) {
      Tiles::dot_int8<0, 4, 6>();
      Tiles::dot_int8<1, 4, 7>();
      Tiles::dot_int8<2, 5, 6>();
      Tiles::dot_int8<3, 5, 7>();
    } else {
      Tiles::dot_bf16<0, 4, 6>();
      Tiles::dot_bf16<1, 4, 7>();
      Tiles::dot_bf16<2, 5, 6>();
      Tiles::dot_bf16<3, 5, 7>();
    }
  }
  return turns * 4 * 16 * 16 * (kInt8 ? 64 : 32);
}

PeakLoop find(bool int8) {
  const cpu::InstructionSet set = cpu::instruction_set_in_use();
  if (set.extension == cpu::Extension::kAmx) return int8 ? tiles<true> : tiles<false>;
  if (!int8) return set.extension == cpu::Extension::kAvxBf16 ? bf16_avx512 : nullptr;
  if (set.extension == cpu::Extension::kAvxVnni) return int8_avx_vnni;
  switch (set.target) {
    case HWY_AVX3_DL:
      return int8_avx512_vnni;
    case HWY_AVX3:
      return int8_avx512;
    case HWY_AVX2:
      return int8_avx2;
    default:
      return int8_sse;
  }
}

#elif defined(__aarch64__)

__attribute__((target("arch=armv8.2-a+dotprod"))) std::int64_t int8_dot(std::int64_t turns) {
  int32x4_t sum[kSums] = {};
  const int8x16_t w = vdupq_n_s8(3);
  const int8x16_t x = vdupq_n_s8(5);
  for (std::int64_t t = 0; t < turns; ++t) {
#pragma GCC unroll 12
    for (auto& s : sum) s = vdotq_s32(s, w, x);
#pragma GCC unroll 12
    for (auto& s : sum) HANGAR_KEEP(s);
  }
  return turns * kSums * 16;
}

__attribute__((target("arch=armv8.2-a+i8mm"))) std::int64_t int8_i8mm(std::int64_t turns) {
  int32x4_t sum[kSums] = {};
  const int8x16_t w = vdupq_n_s8(3);
  const int8x16_t x = vdupq_n_s8(5);
  for (std::int64_t t = 0; t < turns; ++t) {
#pragma GCC unroll 12
    for (auto& s : sum) s = vmmlaq_s32(s, w, x);
#pragma GCC unroll 12
    for (auto& s : sum) HANGAR_KEEP(s);
  }
  return turns * kSums * 32;
}

std::int64_t int8_neon(std::int64_t turns) {
  int16x8_t sum[kSums] = {};
  const int8x8_t w = vdup_n_s8(3);
  const int8x8_t x = vdup_n_s8(5);
  for (std::int64_t t = 0; t < turns; ++t) {
#pragma GCC unroll 12
    for (auto& s : sum) s = vmlal_s8(s, w, x);
#pragma GCC unroll 12
    for (auto& s : sum) HANGAR_KEEP(s);
  }
  return turns * kSums * 8;
}

PeakLoop find(bool int8) {
  if (!int8) return nullptr;
  switch (cpu::instruction_set_in_use().extension) {
    case cpu::Extension::kArmI8mm:
      return int8_i8mm;
    case cpu::Extension::kArmDot:
      return int8_dot;
    default:
      return int8_neon;
  }
}

#else

PeakLoop find(bool /*int8*/) {
  return nullptr;
}

#endif

}  // namespace

PeakLoop int8_loop() {
  return find(true);
}

PeakLoop bf16_loop() {
  return find(false);
}

}  // namespace hangar::bench
