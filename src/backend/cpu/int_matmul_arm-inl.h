// The product of integer weights on 64-bit Arm with dot products of bytes; included by one file for
// each extension, which defines
//   HANGAR_ARM_NAMESPACE: so that no function of another extension is taken for one of this,
//   HANGAR_ARM_TARGET: what the compiler may use,
//   HANGAR_ARM_I8MM: 1 where there are USDOT and USMMLA (FEAT_I8MM), 0: SDOT alone (FEAT_DotProd).
//
// Promise: as int_matmul.h.
// Method: 4 rows of x by 8 outputs keep sums and totals in registers; fewer rows take all 16. x is
//   taken 16 columns at a time: SDOT and USDOT multiply by one of its quads without copying it.
//   With FEAT_I8MM, 4 rows go by USMMLA: 2 outputs by 2 rows, 8 columns of each, twice the work of
//   USDOT in an instruction; its operand is two of the panel's quads interleaved. Where 8 rows and
//   more share the panel, its codes are made operands once, some columns at a time, in the
//   first-level cache. Integer sums are exact either way, and what follows them is the same code:
//   a row's result does not depend on which way it went.
// Threads: as int_matmul.h.
// Source: Arm Architecture Reference Manual for A-profile, C7.2: SDOT, USDOT, USMMLA.
#include <arm_neon.h>

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "backend/cpu/int_form.h"
#include "backend/cpu/int_matmul.h"
#include "backend/cpu/simd.h"
#include "hwy/base.h"

HWY_PUSH_ATTRIBUTES(HANGAR_ARM_TARGET)
namespace hangar::cpu::HANGAR_ARM_NAMESPACE {

inline constexpr int kArmLanes = 4;
inline constexpr int kArmVectors = static_cast<int>(kPanelRows / kArmLanes);
// Operands of so many columns, 16 bytes each, and totals of so many rows: 12 KiB together.
inline constexpr std::int64_t kColumnsAtOnce = 512;
inline constexpr std::int64_t kRowsAtOnce = 64;

struct ArmTile {
  const std::byte* panel = nullptr;
  const IntPanels* w = nullptr;
  const QuantizedRows* x = nullptr;
  const std::int32_t* inits = nullptr;  // int_form.h
  std::int64_t outputs = 0;             // of the panel's 16
  std::int64_t lane = 0;                // first of them
  std::int64_t row = 0;                 // first row of x
  float* y = nullptr;                   // for this row
  std::int64_t y_stride = 0;
  bool accumulate = false;
  // For tiles of operands: those of these groups, and where totals wait between some and others.
  const std::uint8_t* operands = nullptr;
  std::int64_t first_group = 0;
  std::int64_t end_group = 0;
  float* totals = nullptr;

  void skip_rows(std::int64_t rows) {
    row += rows;
    y += rows * y_stride;
  }
};

// Whether sums start at inits: all but codes of 8 bits without FEAT_I8MM, which lose their zero
// point in load_codes.
template <class F>
inline constexpr bool kFromInits = F::kHasZeroPoint && (F::kBits == 4 || HANGAR_ARM_I8MM == 1);
// Bytes of a panel that hold 8 columns.
template <class F>
inline constexpr std::int64_t kBytesOf8Columns = kPanelRows * F::kBits;
// Operands of 8 columns: of each 4 outputs two registers.
inline constexpr std::int64_t kOperandBytes = kArmVectors * 32;

// 8 columns of 4 outputs: two quads each, or, interleaved, 8 columns of two outputs.
struct Operands {
  uint8x16_t first;
  uint8x16_t second;
};

// `values`: of these outputs and the first column. Codes as the instructions take them: unsigned
// with FEAT_I8MM, else signed.
template <class F>
HWY_INLINE Operands load_codes(const std::uint8_t* values) {
  if constexpr (F::kBits == 4) {
    const uint8x16_t both = vld1q_u8(values);
    return {vandq_u8(both, vdupq_n_u8(15)), vshrq_n_u8(both, 4)};
  }
  const Operands codes = {vld1q_u8(values), vld1q_u8(values + kPanelRows * 4)};
#if HANGAR_ARM_I8MM
  return codes;
#else
  const uint8x16_t middle = vdupq_n_u8(0x80);
  return {veorq_u8(codes.first, middle), veorq_u8(codes.second, middle)};
#endif
}

HWY_INLINE Operands interleaved(Operands codes) {
  const uint32x4_t first = vreinterpretq_u32_u8(codes.first);
  const uint32x4_t second = vreinterpretq_u32_u8(codes.second);
  return {vreinterpretq_u8_u32(vzip1q_u32(first, second)),
          vreinterpretq_u8_u32(vzip2q_u32(first, second))};
}

template <int kQuad>
HWY_INLINE int32x4_t dot_quad(int32x4_t sum, uint8x16_t w, int8x16_t x) {
#if HANGAR_ARM_I8MM
  return vusdotq_laneq_s32(sum, w, x, kQuad);
#else
  return vdotq_laneq_s32(sum, vreinterpretq_s8_u8(w), x, kQuad);
#endif
}

// Sums of one group by quads: sum[r][v] of row r and outputs 4v to 4v + 3.
template <class F, int kRows, int kVectors>
struct SumsByDot {
  static constexpr bool kInterleaved = false;
  int32x4_t sum[kRows][kVectors];

  HWY_INLINE void start(const std::int32_t* inits, std::int64_t stride) {
    HANGAR_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const int32x4_t init = vdupq_n_s32(kFromInits<F> ? inits[r * stride] : 0);
      HANGAR_UNROLL
      for (int v = 0; v < kVectors; ++v) sum[r][v] = init;
    }
  }

  // operands(block, v): of the first or second 8 columns.
  template <class Load>
  HWY_INLINE void add_16_columns(const Load& operands, const std::int8_t* x, std::int64_t stride) {
    int8x16_t xs[kRows];
    HANGAR_UNROLL
    for (int r = 0; r < kRows; ++r) xs[r] = vld1q_s8(x + r * stride);
    HANGAR_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const Operands left = operands(0, v);
      HANGAR_UNROLL
      for (int r = 0; r < kRows; ++r) sum[r][v] = dot_quad<0>(sum[r][v], left.first, xs[r]);
      HANGAR_UNROLL
      for (int r = 0; r < kRows; ++r) sum[r][v] = dot_quad<1>(sum[r][v], left.second, xs[r]);
      const Operands right = operands(1, v);
      HANGAR_UNROLL
      for (int r = 0; r < kRows; ++r) sum[r][v] = dot_quad<2>(sum[r][v], right.first, xs[r]);
      HANGAR_UNROLL
      for (int r = 0; r < kRows; ++r) sum[r][v] = dot_quad<3>(sum[r][v], right.second, xs[r]);
    }
  }

  HWY_INLINE int32x4_t of(int r, int v) const { return sum[r][v]; }
};

#if HANGAR_ARM_I8MM
// The same by 2x2 products: block[p][q] holds outputs 2q and 2q + 1, each by rows 2p and 2p + 1.
template <class F, int kRows, int kVectors>
struct SumsByMatrix {
  static constexpr bool kInterleaved = true;
  static constexpr int kPairs = kRows / 2;
  int32x4_t block[kPairs][2 * kVectors];

  HWY_INLINE void start(const std::int32_t* inits, std::int64_t stride) {
    HANGAR_UNROLL
    for (int p = 0; p < kPairs; ++p) {
      int32x4_t init = vdupq_n_s32(0);
      if constexpr (kFromInits<F>) {
        init = vzip1q_s32(vdupq_n_s32(inits[2 * p * stride]),
                          vdupq_n_s32(inits[(2 * p + 1) * stride]));
      }
      HANGAR_UNROLL
      for (int q = 0; q < 2 * kVectors; ++q) block[p][q] = init;
    }
  }

  template <class Load>
  HWY_INLINE void add_16_columns(const Load& operands, const std::int8_t* x, std::int64_t stride) {
    int8x16_t xs[2][kPairs];
    HANGAR_UNROLL
    for (int p = 0; p < kPairs; ++p) {
      const int64x2_t even = vreinterpretq_s64_s8(vld1q_s8(x + 2 * p * stride));
      const int64x2_t odd = vreinterpretq_s64_s8(vld1q_s8(x + (2 * p + 1) * stride));
      xs[0][p] = vreinterpretq_s8_s64(vzip1q_s64(even, odd));
      xs[1][p] = vreinterpretq_s8_s64(vzip2q_s64(even, odd));
    }
    HANGAR_UNROLL
    for (int b = 0; b < 2; ++b) {
      HANGAR_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        const Operands w = operands(b, v);
        HANGAR_UNROLL
        for (int p = 0; p < kPairs; ++p) {
          block[p][2 * v] = vusmmlaq_s32(block[p][2 * v], w.first, xs[b][p]);
          block[p][2 * v + 1] = vusmmlaq_s32(block[p][2 * v + 1], w.second, xs[b][p]);
        }
      }
    }
  }

  HWY_INLINE int32x4_t of(int r, int v) const {
    const int32x4_t* blocks = block[r / 2] + 2 * v;
    return r % 2 == 0 ? vuzp1q_s32(blocks[0], blocks[1]) : vuzp2q_s32(blocks[0], blocks[1]);
  }
};
template <class F, int kRows, int kVectors>
using SumsFor =
    std::conditional_t<kRows >= 4, SumsByMatrix<F, kRows, kVectors>, SumsByDot<F, kRows, kVectors>>;
#else
template <class F, int kRows, int kVectors>
using SumsFor = SumsByDot<F, kRows, kVectors>;
#endif

// 4 scales or offsets as the form stores them.
template <class F>
HWY_INLINE float32x4_t load_numbers(const std::byte* section, std::int64_t index) {
  if constexpr (F::kHalf) {
    const auto* halves = reinterpret_cast<const std::uint16_t*>(section) + index;
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(halves)));
  } else {
    return vld1q_f32(reinterpret_cast<const float*>(section) + index);
  }
}

// The first `count` lanes, if any.
HWY_INLINE void store_outputs(float32x4_t v, float* y, std::int64_t count, bool accumulate) {
  if (count >= kArmLanes) {
    vst1q_f32(y, accumulate ? vaddq_f32(vld1q_f32(y), v) : v);
    return;
  }
  float lanes[kArmLanes];
  vst1q_f32(lanes, v);
  for (std::int64_t i = 0; i < count; ++i) y[i] = accumulate ? y[i] + lanes[i] : lanes[i];
}

// total[r][v] += one group's sums, scaled, and its offsets.
template <class F, int kRows, int kVectors>
HWY_INLINE void add_group(const ArmTile& t, std::int64_t g, const SumsFor<F, kRows, kVectors>& sums,
                          const std::int32_t* inits, float32x4_t (&total)[kRows][kVectors]) {
  float32x4_t scale[kVectors];
  [[maybe_unused]] float32x4_t offset[kVectors];
  HANGAR_UNROLL
  for (int v = 0; v < kVectors; ++v) {
    const std::int64_t at = g * kPanelRows + t.lane + v * kArmLanes;
    scale[v] = load_numbers<F>(t.panel, at);
    if constexpr (F::kHasOffset) offset[v] = load_numbers<F>(t.panel + t.w->offsets_at, at);
    if constexpr (F::kOffset == PanelOffset::kNegatedZero) {
      offset[v] = vmulq_f32(offset[v], scale[v]);
    }
  }
  const std::int64_t x_groups = t.x->groups();
  const std::int64_t x_at = t.row * x_groups + g * F::kGroup / kActivationGroup;
  HANGAR_UNROLL
  for (int r = 0; r < kRows; ++r) {
    const float x_scale = t.x->scales[x_at + r * x_groups];
    [[maybe_unused]] float x_sum = 0.0F;
    if constexpr (F::kHalfSums) {
      x_sum = x_scale * (static_cast<float>(inits[r * t.w->groups()]) * -0x1p-7F);
    } else if constexpr (F::kHasOffset) {
      x_sum = t.x->scaled_sums[x_at + r * x_groups];
    }
    HANGAR_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const float32x4_t product = vcvtq_f32_s32(sums.of(r, v));
      total[r][v] = vfmaq_f32(total[r][v], product, vmulq_n_f32(scale[v], x_scale));
      if constexpr (F::kHasOffset) total[r][v] = vfmaq_n_f32(total[r][v], offset[v], x_sum);
    }
  }
}

// kRows rows of x by 4 * kVectors outputs, their codes as the panel has them or, kUnpacked, made
// operands of some groups. All loops but the one over groups unroll.
template <class F, int kRows, int kVectors, bool kUnpacked>
void compute_arm_tile(const ArmTile& t) {
  using Sums = SumsFor<F, kRows, kVectors>;
  const std::int64_t columns = t.w->columns;
  const std::int64_t groups = t.w->groups();
  const auto* values = reinterpret_cast<const std::uint8_t*>(t.panel + t.w->values_at) + t.lane * 4;
  const std::int8_t* x_values = t.x->values + t.row * columns;
  constexpr bool kInits = kFromInits<F> || F::kHalfSums;
  const std::int32_t* inits = kInits ? t.inits + t.row * groups : nullptr;

  float32x4_t total[kRows][kVectors];
  HANGAR_UNROLL
  for (int r = 0; r < kRows; ++r) {
    HANGAR_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const bool resumes = kUnpacked && t.first_group != 0;
      total[r][v] = resumes ? vld1q_f32(t.totals + r * kPanelRows + t.lane + v * kArmLanes)
                            : vdupq_n_f32(0.0F);
    }
  }

  const std::int64_t first = kUnpacked ? t.first_group : 0;
  const std::int64_t end = kUnpacked ? t.end_group : groups;
  for (std::int64_t g = first; g < end; ++g) {
    Sums sums;
    sums.start(kFromInits<F> ? inits + g : nullptr, groups);
    HANGAR_UNROLL
    for (std::int64_t c = 0; c < F::kGroup; c += 16) {
      const std::int8_t* x = x_values + g * F::kGroup + c;
      if constexpr (kUnpacked) {
        const std::uint8_t* from =
            t.operands + ((g - first) * F::kGroup + c) / 8 * kOperandBytes + t.lane * 8;
        const auto load = [from](int b, int v) {
          const std::uint8_t* at = from + b * kOperandBytes + v * 32;
          return Operands{vld1q_u8(at), vld1q_u8(at + 16)};
        };
        sums.add_16_columns(load, x, columns);
      } else {
        const std::uint8_t* from = values + (g * F::kGroup + c) / 8 * kBytesOf8Columns<F>;
        if constexpr (kRows == 1) {
          // A lone row waits for memory: ask for what comes next, over the panel's end too.
          HANGAR_UNROLL
          for (std::int64_t i = 0; i < 2 * kBytesOf8Columns<F>; i += 64) {
            __builtin_prefetch(from + 2048 + i);
          }
        }
        const auto load = [from](int b, int v) {
          const Operands codes = load_codes<F>(from + b * kBytesOf8Columns<F> + v * 16);
          return Sums::kInterleaved ? interleaved(codes) : codes;
        };
        sums.add_16_columns(load, x, columns);
      }
    }
    add_group<F, kRows, kVectors>(t, g, sums, kInits ? inits + g : nullptr, total);
  }

  HANGAR_UNROLL
  for (int r = 0; r < kRows; ++r) {
    HANGAR_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      if (kUnpacked && end < groups) {
        vst1q_f32(t.totals + r * kPanelRows + t.lane + v * kArmLanes, total[r][v]);
      } else {
        store_outputs(total[r][v], t.y + r * t.y_stride + t.lane + v * kArmLanes,
                      t.outputs - t.lane - v * kArmLanes, t.accumulate);
      }
    }
  }
}

// All lanes of the panel. 4 rows by half of them is what registers hold with the totals.
template <class F, int kRows, bool kUnpacked>
void compute_arm_lanes(const ArmTile& panel) {
  constexpr int kVectors = kRows == 4 ? 2 : kArmVectors;
  ArmTile tile = panel;
  for (; tile.lane < tile.outputs; tile.lane += kVectors * kArmLanes) {
    compute_arm_tile<F, kRows, kVectors, kUnpacked>(tile);
  }
}

// The panel's columns from first to end as operands for tiles of 4 rows.
template <class F>
void unpack_columns(const ArmTile& t, std::int64_t first, std::int64_t end, std::uint8_t* to) {
  const auto* values = reinterpret_cast<const std::uint8_t*>(t.panel + t.w->values_at);
  for (std::int64_t c = first; c < end; c += 8) {
    HANGAR_UNROLL
    for (int v = 0; v < kArmVectors; ++v) {
      const Operands codes = load_codes<F>(values + c / 8 * kBytesOf8Columns<F> + v * 16);
      const Operands w = SumsFor<F, 4, 2>::kInterleaved ? interleaved(codes) : codes;
      vst1q_u8(to, w.first);
      vst1q_u8(to + 16, w.second);
      to += 32;
    }
  }
}

// Whole tiles of 4 rows, where there are two and more; `panel` goes on to the rows left.
template <class F>
void compute_many_rows(ArmTile& panel, std::int64_t end_row) {
  if (end_row - panel.row < 8) return;
  alignas(64) std::uint8_t operands[kColumnsAtOnce * kPanelRows];
  alignas(64) float totals[kRowsAtOnce * kPanelRows];
  const std::int64_t groups = panel.w->groups();
  constexpr std::int64_t kGroups = kColumnsAtOnce / F::kGroup;
  while (end_row - panel.row >= 4) {
    const std::int64_t rows = std::min(kRowsAtOnce, (end_row - panel.row) / 4 * 4);
    for (std::int64_t g = 0; g < groups; g += kGroups) {
      ArmTile tile = panel;
      tile.operands = operands;
      tile.first_group = g;
      tile.end_group = std::min(groups, g + kGroups);
      unpack_columns<F>(tile, g * F::kGroup, tile.end_group * F::kGroup, operands);
      for (std::int64_t r = 0; r < rows; r += 4) {
        tile.totals = totals + r * kPanelRows;
        compute_arm_lanes<F, 4, true>(tile);
        tile.skip_rows(4);
      }
    }
    panel.skip_rows(rows);
  }
}

template <class F, int kRows>
void compute_few_rows(ArmTile& panel, std::int64_t end_row) {
  for (; end_row - panel.row >= kRows; panel.skip_rows(kRows)) {
    compute_arm_lanes<F, kRows, false>(panel);
  }
}

inline void arm_int_matmul(const IntProduct& product) {
  const IntPanels& w = product.w;
  ArmTile tile;
  tile.w = &w;
  tile.x = &product.x;
  tile.row = product.first_row;
  tile.y_stride = product.y_stride;
  tile.accumulate = product.accumulate;
  with_int_form(w, product.x, [&]<class F>(const std::int32_t* inits) {
    tile.inits = inits;
    for (std::int64_t p = product.first_panel; p < product.end_panel; ++p) {
      tile.panel = w.panel(p);
      tile.outputs = std::min(kPanelRows, w.rows - p * kPanelRows);
      tile.y = product.y + product.first_row * product.y_stride + p * kPanelRows;
      ArmTile rows = tile;
      compute_many_rows<F>(rows, product.end_row);
      compute_few_rows<F, 4>(rows, product.end_row);
      compute_few_rows<F, 2>(rows, product.end_row);
      compute_few_rows<F, 1>(rows, product.end_row);
    }
  });
}

}  // namespace hangar::cpu::HANGAR_ARM_NAMESPACE
HWY_POP_ATTRIBUTES
