#include "backend/cpu/dense_matmul.h"

#include <algorithm>

#include "backend/cpu/simd.h"
#include "tensor/float16.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/dense_matmul.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "backend/cpu/simd-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace hangar::cpu::HWY_NAMESPACE {

HWY_INLINE float to_float(float w) {
  return w;
}
HWY_INLINE float to_float(hwy::float16_t w) {
  std::uint16_t bits;
  std::memcpy(&bits, &w, sizeof(bits));
  return half_to_float(bits);
}
HWY_INLINE float to_float(hwy::bfloat16_t w) {
  std::uint16_t bits;
  std::memcpy(&bits, &w, sizeof(bits));
  return bfloat16_to_float(bits);
}

struct DenseTile {
  const float* x;  // first row
  float* y;        // for (row, output)
  std::int64_t y_stride;
  std::int64_t columns;
};

template <typename T, int kRows, int kOutputs>
void compute_tile(const DenseTile& t, const T* w) {
  const DF df;
  VF sum[kRows][kOutputs];
  HANGAR_UNROLL
  for (int r = 0; r < kRows; ++r) {
    HANGAR_UNROLL
    for (int o = 0; o < kOutputs; ++o) sum[r][o] = hn::Zero(df);
  }
  std::int64_t c = 0;
  for (; c + kLanes <= t.columns; c += kLanes) {
    VF x[kRows];
    HANGAR_UNROLL
    for (int r = 0; r < kRows; ++r) x[r] = hn::LoadU(df, t.x + r * t.columns + c);
    HANGAR_UNROLL
    for (int o = 0; o < kOutputs; ++o) {
      const VF weights = load_promoted(df, w + o * t.columns + c);
      HANGAR_UNROLL
      for (int r = 0; r < kRows; ++r) sum[r][o] = hn::MulAdd(weights, x[r], sum[r][o]);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int o = 0; o < kOutputs; ++o) {
      float total = sum_of_lanes(df, sum[r][o]);
      for (std::int64_t i = c; i < t.columns; ++i) {
        total += to_float(w[o * t.columns + i]) * t.x[r * t.columns + i];
      }
      t.y[r * t.y_stride + o] = total;
    }
  }
}

template <typename T, int kRows>
void compute_outputs(const DenseTile& tile, const T* w, std::int64_t outputs) {
  DenseTile t = tile;
  std::int64_t o = 0;
  for (; o + 4 <= outputs; o += 4, t.y += 4) compute_tile<T, kRows, 4>(t, w + o * t.columns);
  for (; o < outputs; ++o, ++t.y) compute_tile<T, kRows, 1>(t, w + o * t.columns);
}

template <typename T>
void compute_rows(const DenseTile& tile, const T* w, std::int64_t rows, std::int64_t outputs) {
  // Blocks of outputs that stay in the first-level cache while all rows pass by.
  constexpr std::int64_t kBlockElements = 4096;
  const std::int64_t block = std::max<std::int64_t>(4, kBlockElements / tile.columns / 4 * 4);
  for (std::int64_t o = 0; o < outputs; o += block) {
    const std::int64_t some = std::min(block, outputs - o);
    DenseTile t = tile;
    t.y += o;
    std::int64_t r = 0;
    for (; r + 2 <= rows; r += 2, t.x += 2 * t.columns, t.y += 2 * t.y_stride) {
      compute_outputs<T, 2>(t, w + o * t.columns, some);
    }
    if (r < rows) compute_outputs<T, 1>(t, w + o * t.columns, some);
  }
}

void DenseMatmul(const DenseMatrix& w, std::int64_t first_output, std::int64_t end_output,
                 const float* x, std::int64_t first_row, std::int64_t end_row, float* y,
                 std::int64_t y_stride) {
  const DenseTile tile{x + first_row * w.columns, y + first_row * y_stride + first_output, y_stride,
                       w.columns};
  const std::int64_t rows = end_row - first_row;
  const std::int64_t outputs = end_output - first_output;
  const std::int64_t at = first_output * w.columns;
  if (w.dtype == DType::kF16) {
    compute_rows(tile, static_cast<const hwy::float16_t*>(w.data) + at, rows, outputs);
  } else if (w.dtype == DType::kBF16) {
    compute_rows(tile, static_cast<const hwy::bfloat16_t*>(w.data) + at, rows, outputs);
  } else {
    compute_rows(tile, static_cast<const float*>(w.data) + at, rows, outputs);
  }
}

}  // namespace hangar::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hangar::cpu {

HWY_EXPORT(DenseMatmul);

void dense_matmul(const DenseMatrix& w, std::int64_t first_output, std::int64_t end_output,
                  const float* x, std::int64_t first_row, std::int64_t end_row, float* y,
                  std::int64_t y_stride) {
  HWY_DYNAMIC_DISPATCH(DenseMatmul)
  (w, first_output, end_output, x, first_row, end_row, y, y_stride);
}

}  // namespace hangar::cpu
#endif
