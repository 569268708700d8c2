#include "backend/cpu/bf16_dot_matmul.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "backend/cpu/simd.h"
#include "hwy/base.h"

#if HWY_ARCH_X86
#include <immintrin.h>

HWY_PUSH_ATTRIBUTES("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")
namespace hangar::cpu {
namespace {

// Blocks of columns whose weights, 1 KiB a panel each, stay in the first-level cache.
constexpr std::int64_t kBlocksAtOnce = 16;
constexpr int kMostRows = 8;

struct DotTile {
  const std::byte* w;  // the first block, of the first panel
  std::int64_t panel_bytes;
  std::int64_t blocks;
  const std::uint16_t* x;  // first row, of the first block
  float* y;                // first row, first output
  std::int64_t y_stride;
  std::int64_t outputs;  // that there are from the first panel on
  bool first;            // sums start at zero
};

HWY_INLINE __mmask16 lanes_of(std::int64_t outputs) {
  return static_cast<__mmask16>(outputs >= 16 ? 0xFFFFU : (1U << outputs) - 1U);
}

// Rows that lie in one tile of 16.
template <int kRows, int kPanels>
void compute_tile(const DotTile& t) {
  __m512 sum[kRows][kPanels];
  __mmask16 lanes[kPanels];
  HANGAR_UNROLL
  for (int p = 0; p < kPanels; ++p) {
    lanes[p] = lanes_of(t.outputs - p * kPanelRows);
    HANGAR_UNROLL
    for (int r = 0; r < kRows; ++r) {
      sum[r][p] = t.first ? _mm512_setzero_ps()
                          : _mm512_maskz_loadu_ps(lanes[p], t.y + r * t.y_stride + p * kPanelRows);
    }
  }
  for (std::int64_t b = 0; b < t.blocks; ++b) {
    const std::byte* w = t.w + b * 1024;
    const std::uint16_t* x = t.x + b * kTileElements;
    for (int pair = 0; pair < 16; ++pair) {
      __m512bh weights[kPanels];
      HANGAR_UNROLL
      for (int p = 0; p < kPanels; ++p) {
        const std::byte* from = w + p * t.panel_bytes + static_cast<std::int64_t>(pair) * 64;
        if constexpr (kRows == 1) {
          // A lone row waits for memory: ask for what comes next, over the blocks' end too.
          _mm_prefetch(reinterpret_cast<const char*>(from) + 1024, _MM_HINT_T0);
        }
        weights[p] = (__m512bh)_mm512_loadu_si512(from);
      }
      HANGAR_UNROLL
      for (int r = 0; r < kRows; ++r) {
        std::int32_t both;
        std::memcpy(&both, x + r * kBf16Block + pair * 2, sizeof(both));
        const auto columns = (__m512bh)_mm512_set1_epi32(both);
        HANGAR_UNROLL
        for (int p = 0; p < kPanels; ++p) {
          sum[r][p] = _mm512_dpbf16_ps(sum[r][p], columns, weights[p]);
        }
      }
    }
  }
  HANGAR_UNROLL
  for (int r = 0; r < kRows; ++r) {
    HANGAR_UNROLL
    for (int p = 0; p < kPanels; ++p) {
      _mm512_mask_storeu_ps(t.y + r * t.y_stride + p * kPanelRows, lanes[p], sum[r][p]);
    }
  }
}

template <int kPanels>
void compute_rows(DotTile t, const Bf16Rows& x, std::int64_t block, std::int64_t first_row,
                  std::int64_t end_row) {
  for (std::int64_t row = first_row; row < end_row;) {
    t.x = x.high + x.row_at(row) + block * kTileElements;
    const std::int64_t left = std::min(end_row - row, kTileRows - row % kTileRows);
    std::int64_t rows = 1;
    if (left >= kMostRows) {
      rows = kMostRows;
      compute_tile<kMostRows, kPanels>(t);
    } else if (left >= 4) {
      rows = 4;
      compute_tile<4, kPanels>(t);
    } else if (left >= 2) {
      rows = 2;
      compute_tile<2, kPanels>(t);
    } else {
      compute_tile<1, kPanels>(t);
    }
    row += rows;
    t.y += rows * t.y_stride;
  }
}

}  // namespace

void bf16_dot_matmul(const DensePanels& w, std::int64_t first_panel, std::int64_t end_panel,
                     const Bf16Rows& x, std::int64_t first_row, std::int64_t end_row, float* y,
                     std::int64_t y_stride) {
  for (std::int64_t p = first_panel; p < end_panel; p += 2) {
    for (std::int64_t b = 0; b < w.blocks(); b += kBlocksAtOnce) {
      const DotTile tile{.w = w.panel(p) + b * 1024,
                         .panel_bytes = w.panel_bytes,
                         .blocks = std::min(kBlocksAtOnce, w.blocks() - b),
                         .x = nullptr,
                         .y = y + first_row * y_stride + p * kPanelRows,
                         .y_stride = y_stride,
                         .outputs = w.rows - p * kPanelRows,
                         .first = b == 0};
      if (p + 2 <= end_panel) {
        compute_rows<2>(tile, x, b, first_row, end_row);
      } else {
        compute_rows<1>(tile, x, b, first_row, end_row);
      }
    }
  }
}

}  // namespace hangar::cpu
HWY_POP_ATTRIBUTES

#else

namespace hangar::cpu {

void bf16_dot_matmul(const DensePanels& /*w*/, std::int64_t /*first_panel*/,
                     std::int64_t /*end_panel*/, const Bf16Rows& /*x*/, std::int64_t /*first_row*/,
                     std::int64_t /*end_row*/, float* /*y*/, std::int64_t /*y_stride*/) {
  std::abort();
}

}  // namespace hangar::cpu
#endif
