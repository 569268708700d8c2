// Int4Copy: a matrix of 4 bits as the matrix units take it, beside its strips, for products of many
// rows: a tile's loop need not spread 4 bits then.
//
// Promise: an exact one has, of strips of groups of 128 with zeros (int4.h), each number's u - zero
//   as e4m3 and each group's scale: make_int4_copy() writes it, exact where zero is a whole number
//   from -1 to 16 (all formats with zero points have such); else *inexact becomes 1. A rounded one
//   is FP8 as any other: rows of any form rounded to e4m3, each with one scale (WeightLoader).
// Shapes: numbers {rows, columns} e4m3; scales {rows, int4_copy_scales(columns)} F16: a row's
//   groups, filled up to a multiple of four, which are asked for together (tile_many.cuh);
//   row_scales [rows]. All row after row: matrices whose numbers lie behind one another have their
//   scales so too. takes_int4_copy(): an exact one's columns are a multiple of 128.
// Errors: CudaError.
// Threads: as Launch; the rest are values.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backend/cuda/int4.h"
#include "backend/cuda/launch.h"

namespace hangar::cuda {

struct Int4Copy {
  void* numbers = nullptr;
  std::uint16_t* scales = nullptr;  // of an exact one
  float* row_scales = nullptr;      // of a rounded one
};

constexpr bool takes_int4_copy(Int4Form form, std::int64_t columns, bool rounded) {
  return rounded || (form == Int4Form::kZero128 && columns % kInt4Columns == 0);
}
constexpr std::int64_t int4_copy_scales(std::int64_t columns) {  // of a row
  return (columns / kInt4Columns + 3) / 4 * 4;
}
constexpr std::size_t int4_copy_scale_bytes(std::int64_t rows, std::int64_t columns, bool rounded) {
  if (rounded) return static_cast<std::size_t>(rows) * sizeof(float);
  return static_cast<std::size_t>(rows * int4_copy_scales(columns)) * sizeof(std::uint16_t);
}
constexpr std::size_t int4_copy_bytes(std::int64_t rows, std::int64_t columns, bool rounded) {
  return static_cast<std::size_t>(rows * columns) + int4_copy_scale_bytes(rows, columns, rounded);
}

void make_int4_copy(const Launch& launch, const Int4Copy& to, const void* strips, std::int64_t rows,
                    std::int64_t columns, std::int32_t* inexact);

}  // namespace hangar::cuda
