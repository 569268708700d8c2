// The product of integer weights by tiles, over any implementation of them: HardwareTiles, or one
// in plain code for tests on machines that have AVX-512 but not AMX.
//
// Promise: as amx_int_matmul.h, for whole tiles of rows.
// Method: weights of some groups are made signed bytes in the first-level cache, less their zero
//   point. A group's 16 x 16 sums go from the tile to memory, are converted, scaled and added to
//   totals in 16 registers; tiles run three groups ahead, so that neither waits for the other.
//   Totals wait in memory between blocks of groups. 8 rows by two panels, with fewer loads, is
//   slower by a quarter: a product of tiles takes as long for 8 rows as for 16.
// Threads: as amx_int_matmul.h.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <type_traits>

#include "backend/cpu/amx_rows.h"
#include "backend/cpu/int_form.h"
#include "backend/cpu/int_matmul.h"
#include "backend/cpu/int_panels.h"
#include "backend/cpu/simd.h"
#include "hwy/base.h"

HWY_PUSH_ATTRIBUTES("avx2,f16c,fma,avx512f,avx512bw,avx512vl,avx512dq")
namespace hangar::cpu {

inline constexpr std::int64_t kAmxRowsAtOnce = 256;
inline constexpr std::int64_t kAmxColumnsAtOnce = 512;

// GCC 12 warns of the forms without a mask, and drops a mask of all.
inline constexpr __mmask16 kAllLanes = 0xFFFF;

inline __m512 load_scales(const float* from) {
  return _mm512_loadu_ps(from);
}
inline __m512 load_scales(const std::uint16_t* from) {
  return _mm512_maskz_cvtph_ps(kAllLanes,
                               _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}

// Quads of columns [first, first + count) of a panel, as signed bytes.
template <int kBits>
void expand_quads(const IntPanels& w, const std::byte* panel, std::int64_t first,
                  std::int64_t count, std::int8_t* to) {
  const std::byte* from = panel + w.values_at + first * kPanelRows * kBits / 8;
  const __m512i zero = _mm512_set1_epi8(static_cast<char>(w.zero_point));
  constexpr std::int64_t kColumns = kBits == 4 ? 8 : 4;
  for (std::int64_t c = 0; c < count; c += kColumns, from += 64) {
    const __m512i stored = _mm512_loadu_si512(from);
    std::int8_t* quad = to + c * kPanelRows;
    if constexpr (kBits == 8) {
      _mm512_storeu_si512(quad, _mm512_sub_epi8(stored, zero));
    } else {
      const __m512i nibble = _mm512_set1_epi8(15);
      const __m512i low = _mm512_and_si512(stored, nibble);
      const __m512i high = _mm512_and_si512(_mm512_srli_epi16(stored, 4), nibble);
      _mm512_storeu_si512(quad, _mm512_sub_epi8(low, zero));
      _mm512_storeu_si512(quad + 64, _mm512_sub_epi8(high, zero));
    }
  }
}

// What one tile of rows needs to pass by some groups of a panel.
struct AmxIntStep {
  const std::int8_t* weights;  // expanded, of the first group
  const std::byte* panel;
  const IntPanels* w;
  const AmxRows* x;
  std::int64_t row;          // first
  std::int64_t first_group;  // of weights
  std::int64_t groups;
  float* totals;  // [16][16]
};

// The sums of group `g` (of the step), through tile kSums to the ring.
template <class F, class Tiles, int kSums>
void multiply_group(const AmxIntStep& s, std::int64_t g, std::int32_t* ring) {
  constexpr int kX = 4 + kSums % 2 * 2;
  constexpr int kWeights = kX + 1;
  const std::int64_t column = (s.first_group + g) * F::kGroup;
  const std::int64_t tile = s.row / kPanelRows * s.x->groups() + column / kActivationGroup;
  Tiles::template load<kWeights>(s.weights + g * F::kGroup * kPanelRows, 64);
  Tiles::template load<kX>(
      s.x->values + tile * kPanelRows * kActivationGroup + column % kActivationGroup,
      kActivationGroup);
  Tiles::template zero<kSums>();
  Tiles::template dot_int8<kSums, kX, kWeights>();
  Tiles::template store<kSums>(ring + kSums * 256, 64);
}

template <class F>
using AmxScale = std::conditional_t<F::kHalf, std::uint16_t, float>;

struct ScaledGroup {
  __m512 scale;
  __m512 offset;
  const std::int32_t* sums;  // [16][16]
  const float* x_scales;     // [16]
  const float* x_sums;
};

template <class F>
HWY_INLINE ScaledGroup scaled_group(const AmxIntStep& s, std::int64_t g, const std::int32_t* sums) {
  const std::int64_t at = s.first_group + g;
  const std::int64_t column = at * F::kGroup;
  const std::int64_t tile = s.row / kPanelRows * s.x->groups() + column / kActivationGroup;
  ScaledGroup group;
  group.sums = sums;
  group.x_scales = s.x->scales + tile * kPanelRows;
  const auto* scales = reinterpret_cast<const AmxScale<F>*>(s.panel);
  group.scale = load_scales(scales + at * kPanelRows);
  group.offset = _mm512_setzero_ps();
  group.x_sums = nullptr;
  if constexpr (F::kHasOffset) {
    const auto* offsets = reinterpret_cast<const AmxScale<F>*>(s.panel + s.w->offsets_at);
    group.offset = load_scales(offsets + at * kPanelRows);
    group.x_sums = F::kHalfSums ? s.x->half_sums + (tile * 2 + at % 2) * kPanelRows
                                : s.x->sums + tile * kPanelRows;
  }
  if constexpr (F::kOffset == PanelOffset::kNegatedZero) {
    group.offset = _mm512_mul_ps(group.offset, group.scale);
  }
  return group;
}

// The same multiply-adds, in the same order, as int_matmul-inl.h's.
template <class F>
HWY_INLINE void add_group(const ScaledGroup& group, __m512 (&totals)[kPanelRows]) {
  HANGAR_UNROLL
  for (int r = 0; r < kPanelRows; ++r) {
    const __m512 product =
        _mm512_maskz_cvtepi32_ps(kAllLanes, _mm512_loadu_si512(group.sums + r * 16));
    const __m512 scale = _mm512_mul_ps(group.scale, _mm512_set1_ps(group.x_scales[r]));
    totals[r] = _mm512_fmadd_ps(product, scale, totals[r]);
    if constexpr (F::kHasOffset) {
      totals[r] = _mm512_fmadd_ps(group.offset, _mm512_set1_ps(group.x_sums[r]), totals[r]);
    }
  }
}

// Adds group `g`, whose sums are in the ring's slot kSlot, with the one three further on under way.
template <class F, class Tiles, int kSlot>
HWY_INLINE void pass_group(const AmxIntStep& s, std::int64_t g, std::int32_t* ring,
                           __m512 (&totals)[kPanelRows]) {
  if (g + 3 < s.groups) multiply_group<F, Tiles, (kSlot + 3) % 4>(s, g + 3, ring);
  add_group<F>(scaled_group<F>(s, g, ring + kSlot * 256), totals);
}

template <class F, class Tiles>
void compute_groups(const AmxIntStep& s) {
  alignas(64) std::int32_t ring[4 * 256];
  __m512 totals[kPanelRows];
  HANGAR_UNROLL
  for (int r = 0; r < kPanelRows; ++r) totals[r] = _mm512_loadu_ps(s.totals + r * 16);
  multiply_group<F, Tiles, 0>(s, 0, ring);
  if (s.groups > 1) multiply_group<F, Tiles, 1>(s, 1, ring);
  if (s.groups > 2) multiply_group<F, Tiles, 2>(s, 2, ring);
  for (std::int64_t g = 0; g < s.groups; g += 4) {
    pass_group<F, Tiles, 0>(s, g, ring, totals);
    if (g + 1 < s.groups) pass_group<F, Tiles, 1>(s, g + 1, ring, totals);
    if (g + 2 < s.groups) pass_group<F, Tiles, 2>(s, g + 2, ring, totals);
    if (g + 3 < s.groups) pass_group<F, Tiles, 3>(s, g + 3, ring, totals);
  }
  HANGAR_UNROLL
  for (int r = 0; r < kPanelRows; ++r) _mm512_storeu_ps(s.totals + r * 16, totals[r]);
}

inline void write_totals(const float* totals, std::int64_t rows, std::int64_t outputs, float* y,
                         std::int64_t y_stride, bool accumulate) {
  const auto lanes = static_cast<__mmask16>((1U << outputs) - 1U);
  for (std::int64_t r = 0; r < rows; ++r) {
    __m512 total = _mm512_loadu_ps(totals + r * 16);
    if (accumulate) {
      total = _mm512_add_ps(_mm512_maskz_loadu_ps(lanes, y + r * y_stride), total);
    }
    _mm512_mask_storeu_ps(y + r * y_stride, lanes, total);
  }
}

// Rows [first_row, end_row) of the product, whole tiles.
template <class F, class Tiles>
void compute_panel(const IntProduct& product, std::int64_t p, const AmxRows& x) {
  alignas(64) std::int8_t weights[kAmxColumnsAtOnce * kPanelRows];
  alignas(64) float totals[kAmxRowsAtOnce * kPanelRows];
  const IntPanels& w = product.w;
  const std::byte* panel = w.panel(p);
  const std::int64_t outputs = std::min(kPanelRows, w.rows - p * kPanelRows);
  for (std::int64_t first = product.first_row; first < product.end_row; first += kAmxRowsAtOnce) {
    const std::int64_t rows = std::min(kAmxRowsAtOnce, product.end_row - first);
    std::fill_n(totals, rows * kPanelRows, 0.0F);
    for (std::int64_t c = 0; c < w.columns; c += kAmxColumnsAtOnce) {
      const std::int64_t columns = std::min(kAmxColumnsAtOnce, w.columns - c);
      expand_quads<F::kBits>(w, panel, c, columns, weights);
      for (std::int64_t r = 0; r < rows; r += kPanelRows) {
        compute_groups<F, Tiles>({.weights = weights,
                                  .panel = panel,
                                  .w = &w,
                                  .x = &x,
                                  .row = first + r,
                                  .first_group = c / F::kGroup,
                                  .groups = columns / F::kGroup,
                                  .totals = totals + r * kPanelRows});
      }
    }
    write_totals(totals, rows, outputs, product.y + first * product.y_stride + p * kPanelRows,
                 product.y_stride, product.accumulate);
  }
}

template <class Tiles>
void amx_int_matmul_by(const IntProduct& product, const AmxRows& x) {
  with_int_form(product.w, product.x, [&]<class F>(const std::int32_t* /*inits*/) {
    for (std::int64_t p = product.first_panel; p < product.end_panel; ++p) {
      compute_panel<F, Tiles>(product, p, x);
    }
  });
}

}  // namespace hangar::cpu
HWY_POP_ATTRIBUTES
