#include "backend/cpu/dense_matmul.h"

#include <algorithm>

#include "backend/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/dense_matmul.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "backend/cpu/simd-inl.h"
#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace hangar::cpu::HWY_NAMESPACE {

// How a panel's numbers become floats: `kStep` columns lie together, kUnitBytes for all 16 rows.
struct F32Form {
  static constexpr int kStep = 1;
  static constexpr std::int64_t kUnitBytes = 64;
  static HWY_INLINE VF load(const std::byte* unit, int /*column*/, std::int64_t lane) {
    return load_promoted(DF(), reinterpret_cast<const float*>(unit) + lane);
  }
};
struct F16Form {
  static constexpr int kStep = 1;
  static constexpr std::int64_t kUnitBytes = 32;
  static HWY_INLINE VF load(const std::byte* unit, int /*column*/, std::int64_t lane) {
    return load_promoted(DF(), reinterpret_cast<const hwy::float16_t*>(unit) + lane);
  }
};
struct Bf16Form {
  static constexpr int kStep = 2;
  static constexpr std::int64_t kUnitBytes = 64;
  static HWY_INLINE VF load(const std::byte* unit, int column, std::int64_t lane) {
    const VI pair = hn::LoadU(DI(), reinterpret_cast<const std::int32_t*>(unit) + lane);
    return hn::BitCast(
        DF(), column == 0 ? hn::ShiftLeft<16>(pair) : hn::And(pair, hn::Set(DI(), -65536)));
  }
};

inline constexpr int kPanelVectors = static_cast<int>(kPanelRows / kLanes);
// Sums of 8 rows by 2 registers within AVX-512's 32, of 6 by 2 within AVX2's 16, 2 by 4 in SSE4's.
inline constexpr int kPanelsAtOnce = kLanes == 16 ? 2 : 1;
inline constexpr int kMostRows = kLanes == 16 ? 8 : (kLanes == 8 ? 6 : (kLanes == 4 ? 2 : 1));
// Of a panel, so much stays in the first-level cache.
inline constexpr std::int64_t kBlockBytes = 16384;

struct DenseTile {
  const std::byte* w;  // the block's first unit, of the first panel
  std::int64_t panel_bytes;
  std::int64_t columns;  // of the block
  const float* x;        // first row, the block's first column
  std::int64_t x_stride;
  float* y;  // first row, first output
  std::int64_t y_stride;
  std::int64_t outputs;  // that there are from the first panel on
  bool first;            // block: sums start at zero
};

template <class F, int kRows, int kPanels>
void compute_tile(const DenseTile& t) {
  constexpr int kVectors = kPanels * kPanelVectors;
  const DF df;
  VF sum[kRows][kVectors];
  HANGAR_UNROLL
  for (int r = 0; r < kRows; ++r) {
    HANGAR_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const std::int64_t left = t.outputs - v * kLanes;
      sum[r][v] = t.first || left <= 0 ? hn::Zero(df)
                                       : load_first(df, t.y + r * t.y_stride + v * kLanes, left);
    }
  }
  const auto step = [&](const std::byte* unit, std::int64_t column, int within) HWY_ATTR {
    VF w[kVectors];
    HANGAR_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      w[v] = F::load(unit + v / kPanelVectors * t.panel_bytes, within, v % kPanelVectors * kLanes);
    }
    HANGAR_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const VF x = hn::Set(df, t.x[r * t.x_stride + column]);
      HANGAR_UNROLL
      for (int v = 0; v < kVectors; ++v) sum[r][v] = hn::MulAdd(w[v], x, sum[r][v]);
    }
  };
  const std::byte* unit = t.w;
  std::int64_t c = 0;
  for (; c + F::kStep <= t.columns; c += F::kStep, unit += F::kUnitBytes) {
    if constexpr (kRows == 1) {
      // A lone row waits for memory: ask for what comes next, over the block's end too.
      HANGAR_UNROLL
      for (int p = 0; p < kPanels; ++p) hwy::Prefetch(unit + p * t.panel_bytes + 1024);
    }
    step(unit, c, 0);
    if constexpr (F::kStep == 2) step(unit, c + 1, 1);
  }
  if (c < t.columns) step(unit, c, 0);
  HANGAR_UNROLL
  for (int r = 0; r < kRows; ++r) {
    HANGAR_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const std::int64_t left = t.outputs - v * kLanes;
      if (left > 0) store_first(sum[r][v], df, t.y + r * t.y_stride + v * kLanes, left);
    }
  }
}

template <class F, int kRows, int kPanels>
HWY_INLINE void compute_rows_by(DenseTile& t, std::int64_t& rows) {
  for (; rows >= kRows; rows -= kRows) {
    compute_tile<F, kRows, kPanels>(t);
    t.x += kRows * t.x_stride;
    t.y += kRows * t.y_stride;
  }
}

template <class F, int kPanels>
void compute_rows(DenseTile t, std::int64_t rows) {
  compute_rows_by<F, kMostRows, kPanels>(t, rows);
  if constexpr (kMostRows > 4) compute_rows_by<F, 4, kPanels>(t, rows);
  if constexpr (kMostRows > 2) compute_rows_by<F, 2, kPanels>(t, rows);
  compute_rows_by<F, 1, kPanels>(t, rows);
}

template <class F>
void compute_panels(const DensePanels& w, std::int64_t first_panel, std::int64_t end_panel,
                    const float* x, std::int64_t rows, float* y, std::int64_t y_stride) {
  constexpr std::int64_t kBlockColumns = kBlockBytes / F::kUnitBytes * F::kStep;
  for (std::int64_t p = first_panel; p < end_panel; p += kPanelsAtOnce) {
    for (std::int64_t c = 0; c < w.columns; c += kBlockColumns) {
      const DenseTile tile{.w = w.panel(p) + c / F::kStep * F::kUnitBytes,
                           .panel_bytes = w.panel_bytes,
                           .columns = std::min(kBlockColumns, w.columns - c),
                           .x = x + c,
                           .x_stride = w.columns,
                           .y = y + p * kPanelRows,
                           .y_stride = y_stride,
                           .outputs = w.rows - p * kPanelRows,
                           .first = c == 0};
      if (kPanelsAtOnce > 1 && p + kPanelsAtOnce <= end_panel) {
        compute_rows<F, kPanelsAtOnce>(tile, rows);
      } else {
        compute_rows<F, 1>(tile, rows);
      }
    }
  }
}

void DenseMatmul(const DensePanels& w, std::int64_t first_panel, std::int64_t end_panel,
                 const float* x, std::int64_t first_row, std::int64_t end_row, float* y,
                 std::int64_t y_stride) {
  x += first_row * w.columns;
  y += first_row * y_stride;
  const std::int64_t rows = end_row - first_row;
  if (w.dtype == DType::kF16) {
    compute_panels<F16Form>(w, first_panel, end_panel, x, rows, y, y_stride);
  } else if (w.dtype == DType::kBF16) {
    compute_panels<Bf16Form>(w, first_panel, end_panel, x, rows, y, y_stride);
  } else {
    compute_panels<F32Form>(w, first_panel, end_panel, x, rows, y, y_stride);
  }
}

float DotProduct(const float* w, const float* x, std::int64_t columns) {
  const DF df;
  VF sum = hn::Zero(df);
  for (std::int64_t c = 0; c < columns; c += kLanes) {
    const std::int64_t left = columns - c;
    sum = hn::MulAdd(load_first(df, w + c, left), load_first(df, x + c, left), sum);
  }
  return sum_of_lanes(df, sum);
}

}  // namespace hangar::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hangar::cpu {

HWY_EXPORT(DenseMatmul);
HWY_EXPORT(DotProduct);

void dense_matmul(const DensePanels& w, std::int64_t first_panel, std::int64_t end_panel,
                  const float* x, std::int64_t first_row, std::int64_t end_row, float* y,
                  std::int64_t y_stride) {
  HWY_DYNAMIC_DISPATCH(DenseMatmul)(w, first_panel, end_panel, x, first_row, end_row, y, y_stride);
}

void vector_matmul(const float* w, std::int64_t columns, const float* x, std::int64_t first_row,
                   std::int64_t end_row, float* y, std::int64_t y_stride) {
  for (std::int64_t r = first_row; r < end_row; ++r) {
    y[r * y_stride] = HWY_DYNAMIC_DISPATCH(DotProduct)(w, x + r * columns, columns);
  }
}

}  // namespace hangar::cpu
#endif
