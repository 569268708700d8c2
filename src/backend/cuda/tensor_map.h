// TensorMap: how the copy engine finds a box of a matrix in the card's memory.
//
// Promise: matrix_boxes() describes {rows, columns} of elements as three dimensions: 128 bytes of a
//   row, rows, and which 128 bytes of the row; so one copy brings several boxes of `box_rows` rows
//   of 128 bytes, one behind the other, each swizzled as wgmma.cuh reads it. gated_boxes() is the
//   same of a gate over an up matrix, 8 rows of the one and 8 of the other in turn: its dimensions
//   are 128 bytes, 8 rows, which of the two, which 8 rows, which 128 bytes. What lies outside comes
//   as zeros.
//   strip_boxes() is of 4-bit strips (int4.h), of one matrix or two: dimensions are eight bytes of
//   a block, blocks of columns, strips, which matrix; a box is `blocks` blocks of `strips` strips
//   of all matrices, as they lie. output_boxes() is of {rows, columns} as they are written: two
//   dimensions, bytes of a row (64 in a box, swizzled among themselves) and rows. For attention,
//   rows of `part_bytes` (64 or 128) of a head: query_boxes() is of {rows, heads, dims} of 16 bits:
//   dimensions are a part, heads, rows, which part; a box is one part of some heads of some rows,
//   swizzled. cache_boxes() is of keys or values as cached (kv_layer.h), which have their swizzle:
//   dimensions are a part, 8 tokens, which part, which 8 tokens (of all heads and blocks); a box is
//   16 tokens, all their parts.
// Shapes: a row is a multiple of 128 bytes; gated: each matrix a multiple of 8 rows.
// Alignment: data and stride, multiples of 16 bytes.
// Errors: CudaError (a driver that has no such maps; sizes that none can have).
// Threads: any.
#pragma once

#include <cuda.h>

#include <cstdint>

#include "tensor/dtype.h"

namespace hangar::cuda {

inline constexpr std::int64_t kBoxBytes = 128;  // of a row
inline constexpr int kOutputBoxBytes = 64;

// So many bytes of a row lie `stride_bytes` apart; `boxes`, `box_rows`: what one copy brings.
CUtensorMap matrix_boxes(const void* data, std::int64_t rows, std::int64_t row_bytes,
                         std::int64_t stride_bytes, int box_rows, int boxes);
// rows: of each of the two; box_rows: of both together, a multiple of 16.
CUtensorMap gated_boxes(const void* data, std::int64_t rows, std::int64_t row_bytes, int box_rows,
                        int boxes);
// second_bytes: from the first matrix to the second; 0: there is one.
CUtensorMap strip_boxes(const void* data, std::int64_t strips, std::int64_t column_blocks,
                        std::int64_t block_bytes, std::int64_t second_bytes, int box_strips,
                        int box_blocks);
CUtensorMap output_boxes(const void* data, std::int64_t rows, std::int64_t row_bytes,
                         std::int64_t stride_bytes, int box_rows);
CUtensorMap query_boxes(const void* data, std::int64_t rows, std::int64_t heads,
                        std::int32_t head_dim, std::int64_t stride_bytes, int part_bytes,
                        int box_rows, int box_heads);
CUtensorMap cache_boxes(const void* data, std::int32_t head_dim, int part_bytes);

}  // namespace hangar::cuda
