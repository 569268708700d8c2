#include "backend/cpu/int_matmul.h"

#include <algorithm>
#include <type_traits>

#include "backend/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/int_matmul.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "backend/cpu/int_dot-inl.h"
#include "backend/cpu/simd-inl.h"
#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace hangar::cpu::HWY_NAMESPACE {

// What a kernel is compiled for: the form of the weights.
template <int kBitsOf, int kGroupOf, typename ScaleT, PanelOffset kOffsetOf>
struct Form {
  static constexpr int kBits = kBitsOf;
  static constexpr std::int64_t kGroup = kGroupOf;
  static constexpr PanelOffset kOffset = kOffsetOf;
  static constexpr bool kHasOffset = kOffsetOf != PanelOffset::kNone;
  using Scale = ScaleT;
  using Dot = std::conditional_t<kBitsOf == 4, Dot4, Dot8>;
};

struct Tile {
  const std::byte* panel = nullptr;
  const IntPanels* w = nullptr;
  const QuantizedRows* x = nullptr;
  // -zero_point * sum of x, per row and group of weights; where there is no zero point, -128 times
  // that sum, of groups of 16.
  const std::int32_t* inits = nullptr;
  std::int64_t lane = 0;     // first of the panel's 16 outputs
  std::int64_t outputs = 0;  // that there are from this lane on
  std::int64_t row = 0;      // first row of x
  float* y = nullptr;        // for (row, lane)
  std::int64_t y_stride = 0;
  bool accumulate = false;
};

HWY_INLINE VI broadcast_quad(const std::int8_t* x) {
  std::int32_t quad;
  std::memcpy(&quad, x, sizeof(quad));
  return hn::Set(DI(), quad);
}

// kRows rows of x by kVectors registers of output rows. All loops but the one over groups unroll.
template <class F, int kRows, int kVectors>
void compute_tile(const Tile& t) {
  using Dot = typename F::Dot;
  using Scale = typename F::Scale;
  const DF df;
  const DI di;
  const std::int64_t columns = t.w->columns;
  const std::int64_t groups = columns / F::kGroup;
  const auto* scales = reinterpret_cast<const Scale*>(t.panel) + t.lane;
  const auto* offsets = reinterpret_cast<const Scale*>(t.panel + t.w->offsets_at) + t.lane;
  const auto* values = reinterpret_cast<const std::int32_t*>(t.panel + t.w->values_at) + t.lane;
  const std::int64_t x_groups = t.x->groups();
  const std::int8_t* x_values = t.x->values + t.row * columns;
  const float* x_scales = t.x->scales + t.row * x_groups;
  const float* x_sums = t.x->scaled_sums + t.row * x_groups;
  // 4-bit weights with an offset have no zero point.
  constexpr bool kInits = F::kBits == 8 || !F::kHasOffset;
  // x's scaled sums are of groups of 32.
  constexpr bool kHalfSums = F::kHasOffset && F::kGroup == 16;
  const std::int32_t* inits = kInits || kHalfSums ? t.inits + t.row * groups : nullptr;

  VF total[kRows][kVectors];
  HANGAR_UNROLL
  for (int r = 0; r < kRows; ++r) {
    HANGAR_UNROLL
    for (int v = 0; v < kVectors; ++v) total[r][v] = hn::Zero(df);
  }

  for (std::int64_t g = 0; g < groups; ++g) {
    VI sum[kRows][kVectors];
    HANGAR_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const VI init = kInits ? hn::Set(di, inits[r * groups + g]) : hn::Zero(di);
      HANGAR_UNROLL
      for (int v = 0; v < kVectors; ++v) sum[r][v] = Dot::start(init);
    }
    if constexpr (kRows == 1) {
      // A lone row waits for memory: ask for what comes next, over the panel's end too.
      constexpr std::int64_t kAhead = 2048 / 4;
      constexpr std::int64_t kGroupWords = F::kGroup * kPanelRows * F::kBits / 32;
      HANGAR_UNROLL
      for (std::int64_t i = 0; i < kGroupWords; i += 16) {
        hwy::Prefetch(values + g * kGroupWords + kAhead + i);
      }
    }
    const std::int8_t* xg = x_values + g * F::kGroup;
    if constexpr (F::kBits == 4) {
      constexpr int kPairs = static_cast<int>(F::kGroup / 8);
      const VI nibble = hn::Set(di, 0x0F0F0F0F);
      HANGAR_UNROLL
      for (int j = 0; j < kPairs; ++j) {
        typename Dot::Weights low[kVectors];
        typename Dot::Weights high[kVectors];
        HANGAR_UNROLL
        for (int v = 0; v < kVectors; ++v) {
          const VI both = hn::LoadU(di, values + (g * kPairs + j) * 16 + v * kLanes);
          low[v] = Dot::prepare(hn::And(both, nibble));
          high[v] = Dot::prepare(hn::And(hn::ShiftRight<4>(both), nibble));
        }
        HANGAR_UNROLL
        for (int r = 0; r < kRows; ++r) {
          const VI x0 = broadcast_quad(xg + r * columns + j * 8);
          const VI x1 = broadcast_quad(xg + r * columns + j * 8 + 4);
          HANGAR_UNROLL
          for (int v = 0; v < kVectors; ++v) {
            sum[r][v] = Dot::step(sum[r][v], low[v], x0);
            sum[r][v] = Dot::step(sum[r][v], high[v], x1);
          }
        }
      }
    } else {
      constexpr int kQuads = static_cast<int>(F::kGroup / 4);
      HANGAR_UNROLL
      for (int j = 0; j < kQuads; ++j) {
        typename Dot::Weights w[kVectors];
        HANGAR_UNROLL
        for (int v = 0; v < kVectors; ++v) {
          w[v] = Dot::prepare(hn::LoadU(di, values + (g * kQuads + j) * 16 + v * kLanes));
        }
        HANGAR_UNROLL
        for (int r = 0; r < kRows; ++r) {
          const VI x0 = broadcast_quad(xg + r * columns + j * 4);
          HANGAR_UNROLL
          for (int v = 0; v < kVectors; ++v) sum[r][v] = Dot::step(sum[r][v], w[v], x0);
        }
      }
    }

    const std::int64_t xs = g * F::kGroup / kActivationGroup;
    VF scale[kVectors];
    VF offset[kVectors];
    HANGAR_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      scale[v] = load_promoted(df, scales + g * kPanelRows + v * kLanes);
      if constexpr (F::kHasOffset) {
        offset[v] = load_promoted(df, offsets + g * kPanelRows + v * kLanes);
      }
      if constexpr (F::kOffset == PanelOffset::kNegatedZero) {
        offset[v] = hn::Mul(offset[v], scale[v]);
      }
    }
    HANGAR_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const VI init = kInits ? hn::Set(di, inits[r * groups + g]) : hn::Zero(di);
      const VF x_scale = hn::Set(df, x_scales[r * x_groups + xs]);
      VF x_sum;
      if constexpr (kHalfSums) {
        const float minus_128_sum = static_cast<float>(inits[r * groups + g]);
        x_sum = hn::Set(df, x_scales[r * x_groups + xs] * (minus_128_sum * -0x1p-7F));
      } else {
        x_sum = hn::Set(df, x_sums[r * x_groups + xs]);
      }
      HANGAR_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        const VF product = hn::ConvertTo(df, Dot::finish(sum[r][v], init));
        total[r][v] = hn::MulAdd(product, hn::Mul(scale[v], x_scale), total[r][v]);
        if constexpr (F::kHasOffset) total[r][v] = hn::MulAdd(offset[v], x_sum, total[r][v]);
      }
    }
  }

  HANGAR_UNROLL
  for (int r = 0; r < kRows; ++r) {
    HANGAR_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const std::int64_t lanes_left = t.outputs - v * kLanes;
      if (lanes_left > 0) {
        float* y = t.y + r * t.y_stride + v * kLanes;
        if (t.accumulate) total[r][v] = hn::Add(load_first(df, y, lanes_left), total[r][v]);
        store_first(total[r][v], df, y, lanes_left);
      }
    }
  }
}

inline constexpr int kPanelVectors = static_cast<int>(kPanelRows / kLanes);
// Rows of x at once: two accumulators each, within 32 registers on AVX-512 and 16 elsewhere.
inline constexpr int kMostRows = kLanes == 16 ? 8 : (kLanes == 1 ? 1 : 4);

template <class F, int kRows>
void compute_panel(const Tile& panel, std::int64_t end_row) {
  // Few rows of x leave registers for more output rows, and the panel is read in one pass.
  constexpr int kVectors = kLanes == 1 ? 1 : std::min(kPanelVectors, std::max(1, 4 / kRows));
  for (std::int64_t lane = 0; lane < kPanelRows; lane += kVectors * kLanes) {
    if (lane >= panel.outputs) return;
    Tile tile = panel;
    tile.lane = lane;
    tile.outputs -= lane;
    tile.y += lane;
    for (; tile.row + kRows <= end_row; tile.row += kRows, tile.y += kRows * tile.y_stride) {
      compute_tile<F, kRows, kVectors>(tile);
    }
  }
}

HWY_INLINE void skip_rows(Tile& tile, std::int64_t rows) {
  tile.row += rows;
  tile.y += rows * tile.y_stride;
}

template <class F>
void compute_rows(Tile tile, std::int64_t end_row) {
  if constexpr (kMostRows >= 8) {
    compute_panel<F, 8>(tile, end_row);
    skip_rows(tile, (end_row - tile.row) / 8 * 8);
  }
  if constexpr (kMostRows >= 4) {
    compute_panel<F, 4>(tile, end_row);
    skip_rows(tile, (end_row - tile.row) / 4 * 4);
    compute_panel<F, 2>(tile, end_row);
    skip_rows(tile, (end_row - tile.row) / 2 * 2);
  }
  compute_panel<F, 1>(tile, end_row);
}

void IntMatmulPanel(const IntPanels& w, std::int64_t panel, const QuantizedRows& x,
                    std::int64_t first_row, std::int64_t end_row, float* y, std::int64_t y_stride,
                    bool accumulate) {
  Tile tile;
  tile.accumulate = accumulate;
  tile.panel = w.panel(panel);
  tile.w = &w;
  tile.x = &x;
  tile.row = first_row;
  tile.outputs = std::min(kPanelRows, w.rows - panel * kPanelRows);
  tile.y = y + first_row * y_stride + panel * kPanelRows;
  tile.y_stride = y_stride;
  using Half = hwy::float16_t;
  constexpr PanelOffset kNone = PanelOffset::kNone;
  constexpr PanelOffset kMinimum = PanelOffset::kMinimum;
  if (w.bits == 4 && w.group == 16) {
    tile.inits = x.minus_128_halves;
    return compute_rows<Form<4, 16, float, kMinimum>>(tile, end_row);
  }
  if (w.bits == 4) {
    // Without a zero point the sums start at zero: the offset carries it all.
    tile.inits = w.zero_point == 8 ? x.minus_8_sums : nullptr;
    if (w.offset == PanelOffset::kNegatedZero) {
      return compute_rows<Form<4, 32, Half, PanelOffset::kNegatedZero>>(tile, end_row);
    }
    if (w.offset == kNone) {
      if (w.half_scales) return compute_rows<Form<4, 32, Half, kNone>>(tile, end_row);
      return compute_rows<Form<4, 32, float, kNone>>(tile, end_row);
    }
    if (w.half_scales) return compute_rows<Form<4, 32, Half, kMinimum>>(tile, end_row);
    return compute_rows<Form<4, 32, float, kMinimum>>(tile, end_row);
  }
  if (w.group == 16) {
    tile.inits = x.minus_128_halves;
    return compute_rows<Form<8, 16, float, kNone>>(tile, end_row);
  }
  tile.inits = x.minus_128_sums;
  if (w.offset == kNone) {
    if (w.half_scales) return compute_rows<Form<8, 32, Half, kNone>>(tile, end_row);
    return compute_rows<Form<8, 32, float, kNone>>(tile, end_row);
  }
  if (w.half_scales) return compute_rows<Form<8, 32, Half, kMinimum>>(tile, end_row);
  return compute_rows<Form<8, 32, float, kMinimum>>(tile, end_row);
}

}  // namespace hangar::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hangar::cpu {

HWY_EXPORT(IntMatmulPanel);

void int_matmul_panel(const IntPanels& w, std::int64_t panel, const QuantizedRows& x,
                      std::int64_t first_row, std::int64_t end_row, float* y, std::int64_t y_stride,
                      bool accumulate) {
  HWY_DYNAMIC_DISPATCH(IntMatmulPanel)(w, panel, x, first_row, end_row, y, y_stride, accumulate);
}

}  // namespace hangar::cpu
#endif
