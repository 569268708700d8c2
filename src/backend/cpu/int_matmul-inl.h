// The product of int_matmul.h, for whatever instruction set this is compiled for.
//
// Method: a tile of a few rows of x by a few registers of outputs stays in registers while the
//   columns pass by; each group ends with its integers made floats, scaled and added up. With 16
//   lanes a register is a panel, and a tile takes two panels: each number of x that is loaded then
//   serves 32 outputs.
// Threads: as int_matmul.h.

#if defined(HANGAR_BACKEND_CPU_INT_MATMUL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HANGAR_BACKEND_CPU_INT_MATMUL_INL_H_
#undef HANGAR_BACKEND_CPU_INT_MATMUL_INL_H_
#else
#define HANGAR_BACKEND_CPU_INT_MATMUL_INL_H_
#endif

#include <algorithm>
#include <type_traits>

#include "backend/cpu/int_dot-inl.h"
#include "backend/cpu/int_form.h"
#include "backend/cpu/int_matmul.h"
#include "backend/cpu/simd-inl.h"
#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace hangar::cpu::HWY_NAMESPACE {
inline namespace HANGAR_INT_VARIANT {

// A form of weights with what computes it.
template <class F>
struct Form : F {
  using Scale = std::conditional_t<F::kHalf, hwy::float16_t, float>;
  using Dot = std::conditional_t<F::kBits == 4, Dot4, Dot8>;
};

struct Tile {
  const std::byte* panel = nullptr;
  std::int64_t panel_step = 0;  // bytes to the next panel, for a tile of two
  const IntPanels* w = nullptr;
  const QuantizedRows* x = nullptr;
  const std::int32_t* inits = nullptr;  // int_form.h
  std::int64_t lane = 0;                // first output, within the panel
  std::int64_t outputs = 0;             // that are wanted from this lane on
  std::int64_t row = 0;                 // first row of x
  float* y = nullptr;                   // for (row, lane)
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
  const Scale* scales[kVectors];
  const Scale* offsets[kVectors];
  const std::int32_t* values[kVectors];
  HANGAR_UNROLL
  for (int v = 0; v < kVectors; ++v) {
    const std::byte* panel = t.panel + v * kLanes / kPanelRows * t.panel_step;
    const std::int64_t lane = t.lane + v * kLanes % kPanelRows;
    scales[v] = reinterpret_cast<const Scale*>(panel) + lane;
    offsets[v] = reinterpret_cast<const Scale*>(panel + t.w->offsets_at) + lane;
    values[v] = reinterpret_cast<const std::int32_t*>(panel + t.w->values_at) + lane;
  }
  const std::int64_t x_groups = t.x->groups();
  const std::int8_t* x_values = t.x->values + t.row * columns;
  const float* x_scales = t.x->scales + t.row * x_groups;
  const float* x_sums = t.x->scaled_sums + t.row * x_groups;
  const std::int32_t* inits = F::kHasZeroPoint || F::kHalfSums ? t.inits + t.row * groups : nullptr;

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
      const VI init = F::kHasZeroPoint ? hn::Set(di, inits[r * groups + g]) : hn::Zero(di);
      HANGAR_UNROLL
      for (int v = 0; v < kVectors; ++v) sum[r][v] = Dot::start(init);
    }
    if constexpr (kRows == 1) {
      // A lone row waits for memory: ask for what comes next, over the panel's end too.
      constexpr std::int64_t kAhead = 2048 / 4;
      constexpr std::int64_t kGroupWords = F::kGroup * kPanelRows * F::kBits / 32;
      HANGAR_UNROLL
      for (std::int64_t i = 0; i < kGroupWords; i += 16) {
        hwy::Prefetch(values[0] + g * kGroupWords + kAhead + i);
        if constexpr (kVectors * kLanes > kPanelRows) {
          hwy::Prefetch(values[kVectors - 1] + g * kGroupWords + kAhead + i);
        }
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
          const VI both = hn::LoadU(di, values[v] + (g * kPairs + j) * 16);
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
          w[v] = Dot::prepare(hn::LoadU(di, values[v] + (g * kQuads + j) * 16));
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
      scale[v] = load_promoted(df, scales[v] + g * kPanelRows);
      if constexpr (F::kHasOffset) {
        offset[v] = load_promoted(df, offsets[v] + g * kPanelRows);
      }
      if constexpr (F::kOffset == PanelOffset::kNegatedZero) {
        offset[v] = hn::Mul(offset[v], scale[v]);
      }
    }
    HANGAR_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const VI init = F::kHasZeroPoint ? hn::Set(di, inits[r * groups + g]) : hn::Zero(di);
      const VF x_scale = hn::Set(df, x_scales[r * x_groups + xs]);
      VF x_sum;
      if constexpr (F::kHalfSums) {
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

// Registers of outputs in a panel, and in a tile of so many rows. With few rows there is room for
// more of them.
inline constexpr int kPanelVectors = static_cast<int>(kPanelRows / kLanes);
constexpr int tile_vectors(int rows) {
  if (kLanes == 16) return 2;
  if (kLanes == 1) return 1;
  return std::min(kPanelVectors, std::max(1, 4 / rows));
}
// Two sums for each row and register: 8 rows by 2 on AVX-512, which spills a few that are used once
// a group and is the quickest all the same; 4 by 1 within 16 registers elsewhere.
inline constexpr int kMostRows = kLanes == 16 ? 8 : (kLanes == 1 ? 1 : 4);

// As many whole tiles of kRows rows as there are; `tile.row` moves on.
template <class F, int kRows>
void compute_tiles(Tile& tile, std::int64_t end_row) {
  for (; tile.row + kRows <= end_row; tile.row += kRows, tile.y += kRows * tile.y_stride) {
    compute_tile<F, kRows, tile_vectors(kRows)>(tile);
  }
}

// One column of tiles over all rows: kVectors registers of outputs from tile.lane of tile.panel on.
template <class F, int kRows>
void compute_column(Tile& tile, std::int64_t end_row) {
  const Tile start = tile;
  constexpr std::int64_t kOutputs = tile_vectors(kRows) * kLanes;
  const std::int64_t span = std::max(kOutputs, kPanelRows);
  for (std::int64_t lane = 0; lane < span && lane < start.outputs; lane += kOutputs) {
    tile = start;
    tile.lane = lane;
    tile.outputs -= lane;
    tile.y += lane;
    compute_tiles<F, kRows>(tile, end_row);
    tile.y -= lane;
  }
  tile.lane = 0;
  tile.outputs = start.outputs;
}

template <class F>
void compute_rows(Tile tile, std::int64_t end_row) {
  if constexpr (kMostRows >= 8) compute_column<F, 8>(tile, end_row);
  if constexpr (kMostRows >= 4) {
    compute_column<F, 4>(tile, end_row);
    compute_column<F, 2>(tile, end_row);
  }
  compute_column<F, 1>(tile, end_row);
}

template <class F>
void compute_panels(const IntProduct& product, const std::int32_t* inits) {
  constexpr std::int64_t kPanels = std::max(1, tile_vectors(1) / kPanelVectors);
  const std::int64_t last_output = std::min(product.w.rows, product.end_panel * kPanelRows);
  for (std::int64_t p = product.first_panel; p < product.end_panel; p += kPanels) {
    Tile tile;
    tile.w = &product.w;
    tile.panel = product.w.panel(p);
    // There may be no other panel for the second register.
    tile.panel_step = p + 1 < product.w.panels() ? product.w.panel_bytes : 0;
    tile.x = &product.x;
    tile.inits = inits;
    tile.accumulate = product.accumulate;
    tile.row = product.first_row;
    tile.outputs = last_output - p * kPanelRows;
    tile.y = product.y + product.first_row * product.y_stride + p * kPanelRows;
    tile.y_stride = product.y_stride;
    compute_rows<F>(tile, product.end_row);
  }
}

void IntMatmul(const IntProduct& product) {
  with_int_form(product.w, product.x, [&]<class F>(const std::int32_t* inits) {
    compute_panels<Form<F>>(product, inits);
  });
}

}  // namespace HANGAR_INT_VARIANT
}  // namespace hangar::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
