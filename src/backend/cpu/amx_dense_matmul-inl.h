// The product of BF16 weights by tiles, over any implementation of them: HardwareTiles, or one in
// plain code for tests on machines without AMX.
//
// Promise: as amx_dense_matmul.h.
// Method: two tiles of rows by two panels at a time, so that each tile read is multiplied twice;
//   of several panels so many pass by the same rows as stay in the second-level cache. Blocks of
//   columns for the first-level cache, with sums that wait in memory, are slower by a sixth.
// Threads: as amx_dense_matmul.h.
#pragma once

#include <algorithm>
#include <cstring>

#include "backend/cpu/bf16_rows.h"
#include "backend/cpu/dense_panels.h"

namespace hangar::cpu {

inline constexpr std::int64_t kTileBytes = 1024;
inline constexpr std::int64_t kTileRowBytes = 64;
// Of weights, in a second-level cache of 2 MiB.
inline constexpr std::int64_t kPanelGroupBytes = 1 << 20;

struct AmxDenseStep {
  const std::byte* w;  // first panel
  std::int64_t panel_bytes;
  std::int64_t blocks;
  const std::uint16_t* high;  // first tile of rows
  const std::uint16_t* low;   // nullptr: one plane
  float* y;                   // first row, first output
  std::int64_t y_stride;
  std::int64_t rows;     // that there are from the first tile on
  std::int64_t outputs;  // from the first panel on
};

template <class Tiles, int kSums>
void store_sums(const AmxDenseStep& s, std::int64_t first_row, std::int64_t first_output) {
  const std::int64_t rows = std::min(kTileRows, s.rows - first_row);
  const std::int64_t outputs = std::min(kPanelRows, s.outputs - first_output);
  float* y = s.y + first_row * s.y_stride + first_output;
  if (rows == kTileRows && outputs == kPanelRows) {
    Tiles::template store<kSums>(y, s.y_stride * 4);
    return;
  }
  alignas(64) float whole[kTileRows * kPanelRows];
  Tiles::template store<kSums>(whole, kTileRowBytes);
  for (std::int64_t r = 0; r < rows; ++r) {
    std::memcpy(y + r * s.y_stride, whole + r * kPanelRows,
                static_cast<std::size_t>(outputs) * sizeof(float));
  }
}

// One plane of x for one block of columns, whose weights are in tiles 6 and 7.
template <class Tiles, int kRowTiles, int kPanels>
void multiply_block(const std::uint16_t* x, std::int64_t row_tile_elements) {
  Tiles::template load<4>(x, kTileRowBytes);
  Tiles::template dot_bf16<0, 4, 6>();
  if constexpr (kPanels == 2) Tiles::template dot_bf16<1, 4, 7>();
  if constexpr (kRowTiles == 2) {
    Tiles::template load<5>(x + row_tile_elements, kTileRowBytes);
    Tiles::template dot_bf16<2, 5, 6>();
    if constexpr (kPanels == 2) Tiles::template dot_bf16<3, 5, 7>();
  }
}

template <class Tiles, int kRowTiles, int kPanels>
void compute_step(const AmxDenseStep& s) {
  Tiles::template zero<0>();
  Tiles::template zero<1>();
  Tiles::template zero<2>();
  Tiles::template zero<3>();
  const std::int64_t row_tile_elements = s.blocks * kTileElements;
  for (std::int64_t b = 0; b < s.blocks; ++b) {
    Tiles::template load<6>(s.w + b * kTileBytes, kTileRowBytes);
    if constexpr (kPanels == 2) {
      Tiles::template load<7>(s.w + s.panel_bytes + b * kTileBytes, kTileRowBytes);
    }
    multiply_block<Tiles, kRowTiles, kPanels>(s.high + b * kTileElements, row_tile_elements);
    if (s.low != nullptr) {
      multiply_block<Tiles, kRowTiles, kPanels>(s.low + b * kTileElements, row_tile_elements);
    }
  }
  store_sums<Tiles, 0>(s, 0, 0);
  if constexpr (kPanels == 2) store_sums<Tiles, 1>(s, 0, kPanelRows);
  if constexpr (kRowTiles == 2) store_sums<Tiles, 2>(s, kTileRows, 0);
  if constexpr (kRowTiles == 2 && kPanels == 2) store_sums<Tiles, 3>(s, kTileRows, kPanelRows);
}

template <class Tiles>
void amx_dense_matmul_by(const DensePanels& w, std::int64_t first_panel, std::int64_t end_panel,
                         const Bf16Rows& x, bool low, std::int64_t first_row, std::int64_t end_row,
                         float* y, std::int64_t y_stride) {
  const std::int64_t group =
      std::max<std::int64_t>(2, kPanelGroupBytes / std::max<std::int64_t>(1, w.panel_bytes) & ~1);
  for (std::int64_t first = first_panel; first < end_panel; first += group) {
    const std::int64_t end = std::min(end_panel, first + group);
    for (std::int64_t row = first_row; row < end_row; row += 2 * kTileRows) {
      for (std::int64_t p = first; p < end; p += 2) {
        const AmxDenseStep step{.w = w.panel(p),
                                .panel_bytes = w.panel_bytes,
                                .blocks = w.blocks(),
                                .high = x.high + x.row_at(row),
                                .low = low ? x.low + x.row_at(row) : nullptr,
                                .y = y + row * y_stride + p * kPanelRows,
                                .y_stride = y_stride,
                                .rows = end_row - row,
                                .outputs = w.rows - p * kPanelRows};
        const bool two_tiles = step.rows > kTileRows;
        if (p + 2 <= end) {
          two_tiles ? compute_step<Tiles, 2, 2>(step) : compute_step<Tiles, 1, 2>(step);
        } else {
          two_tiles ? compute_step<Tiles, 2, 1>(step) : compute_step<Tiles, 1, 1>(step);
        }
      }
    }
  }
}

}  // namespace hangar::cpu
