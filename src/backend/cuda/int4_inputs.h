// Inputs of 4-bit weights: rows of activations in 8 bits, and the sums that a zero point needs.
//
// Promise: a weight's number is scale * u + minimum (int4.h), so y's is the sum over groups of
//   scale * (u x) + minimum * (sum of x): the sums come along. One or two rows are not quantized
//   (takes_int4_direct()). Few rows (up to kInt4FewRows): int8, each 128 columns of a row with a
//   scale of their own (the largest magnitude at 127), in the order in which mma.m16n8k32 takes
//   them. More: e4m3, each row with one scale (the largest at 448). An RMS norm on the way, where
//   `norm` is given: of x {rows, columns}, as rms_norm() without its rounding. A row's result
//   depends on that row alone.
// Shapes: columns a multiple of 32; blocks of 128 columns, the last filled up with zeros; `groups`:
//   sums of a block, 1 or 4. Few: a block is Int4FewBlock, block after block. Many: data {rows,
//   blocks * 128} bytes, scales [rows], sums: for each int4_tile_rows(rows) rows {fours, those
//   rows, 4}: four groups of a row side by side, those behind the end 0, rounded to tf32.
// Units: of sums: the few's are times their scale, the many's are not.
// Errors: CudaError; std::invalid_argument for other types.
// Threads: one (the step thread); may be captured in a graph.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backend/cuda/direct.h"
#include "backend/cuda/input_norm.h"
#include "backend/cuda/int4.h"
#include "backend/cuda/launch.h"
#include "tensor/activation.h"

namespace hangar::cuda {

inline constexpr std::int64_t kInt4FewRows = 8;
inline constexpr std::int64_t kMostInt4TileRows = 128;

// Whether rows are taken directly; numbers: of all rows.
inline constexpr std::int64_t kInt4NumbersTakenDirectly = 40 << 10;
inline bool takes_int4_direct(const Launch& launch, std::int64_t rows, std::int64_t columns) {
  return takes_direct(launch, rows, columns) && rows * columns <= kInt4NumbersTakenDirectly;
}

// Whether so many rows are taken as few. Deterministic: never, so that all numbers of rows go one
// way.
inline bool takes_few(const Launch& launch, std::int64_t rows) {
  return rows <= kInt4FewRows && !launch.deterministic;
}

// How many sums a form wants of a block.
constexpr int int4_groups(Int4Form form) {
  return form == Int4Form::kZero128 ? 1 : 4;
}

// Bytes of 8 rows of a block: numbers, 8 scales, and sums for each group.
constexpr int int4_few_block_bytes(int groups) {
  return 1024 + 32 + 32 * groups;
}

// Bytes of a block of x taken directly: three for each number, and each group's factors.
constexpr int int4_direct_block_bytes(std::int64_t rows, int groups) {
  return static_cast<int>(rows) * (384 + 16 * groups);
}

// Sums of rows of a tile product: how many fours of groups so many blocks of columns have; of
// groups of 128 two fours go together.
inline constexpr int kInt4SumFour = 4;
inline constexpr int kInt4SumBlocks = 2 * kInt4SumFour;
constexpr int int4_sum_fours(int groups, int blocks) {
  return groups == 1 ? (blocks + kInt4SumBlocks - 1) / kInt4SumBlocks * 2 : blocks;
}
constexpr int int4_sum_bytes(int fours, int width) {
  return fours * width * kInt4SumFour * static_cast<int>(sizeof(float));
}

// Rows that a tile product takes at a time: those that there are, rounded up to what the matrix
// unit takes.
constexpr std::int64_t int4_tile_rows(std::int64_t rows) {
  std::int64_t width = 16;
  while (width < rows && width < kMostInt4TileRows) width *= 2;
  return width;
}

struct Int4Rows {
  void* data = nullptr;
  std::int64_t stride = 0;
  float* scales = nullptr;
  float* sums = nullptr;
};

// Where few rows go, block after block, with so many sums of each.
struct Int4FewTarget {
  std::uint8_t* data = nullptr;  // nullptr: nowhere
  std::int32_t groups = 1;
};

// Bytes that the inputs of so many rows and columns take at most; where they lie in that much.
std::size_t int4_input_bytes(std::int64_t rows, std::int64_t columns);
Int4Rows int4_rows_in(void* room, std::int64_t rows, std::int64_t columns);

// As takes_few() says, in int4_input_bytes() of `room`. Few: data alone.
Int4Rows quantize_inputs(const Launch& launch, void* room, Activation x, int groups,
                         NormOfInputs norm);
void quantize_few(const Launch& launch, void* out, Activation x, int groups, NormOfInputs norm);
void quantize_many(const Launch& launch, const Int4Rows& out, Activation x, int groups,
                   NormOfInputs norm);

}  // namespace hangar::cuda
