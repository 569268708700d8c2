// Int4: how a matrix of 4 bits lies on the card, so that a warp's loads are its matrix
// instruction's operands.
//
// Promise: Int4Form says in what groups of columns numbers share their parameters, and what those
//   are. A number is scale * u + minimum, u its 4 bits (0 to 15): bit for bit what the file's own
//   type stands for, as long as its scales are F16's (GGUF's are; others are rounded to F16).
// Shapes: blocks of 16 rows (a strip) by 128 columns: int4_block_bytes() each, strip after strip,
//   and within a strip column block after column block. Rows are a multiple of 16; columns end in a
//   block that is filled up with zeros. A block is 1,024 bytes of u, then its parameters, row after
//   row: the form's. u of row r, column c: byte int4_place(r, c), its high half for rows 8 to 15.
// Source: the operand layout of mma.m16n8k32 (PTX ISA), which wgmma's registers share.
// Threads: values.
#pragma once

#include <cstdint>

namespace hangar::cuda {

enum class Int4Form : std::uint8_t {
  kZero128,  // groups of 128: F16 scale, F16 zero; minimum = -scale * zero
  kZero32,   // groups of 32, as kZero128: four pairs a row
  kMin32,    // groups of 32: F16 scale, F16 minimum; four pairs a row
  kSuper32,  // groups of 32: F16 d, F16 e, then four bytes s, four bytes m; scale = d * s,
             // minimum = -e * m
};

inline constexpr std::int64_t kInt4Strip = 16;
inline constexpr std::int64_t kInt4Columns = 128;
inline constexpr std::int64_t kInt4NumberBytes = 1024;  // of a block

constexpr std::int64_t int4_row_bytes(Int4Form form) {  // of a row's parameters in a block
  switch (form) {
    case Int4Form::kZero128:
      return 4;
    case Int4Form::kSuper32:
      return 12;
    case Int4Form::kZero32:
    case Int4Form::kMin32:
      break;
  }
  return 16;
}

constexpr std::int64_t int4_block_bytes(Int4Form form) {
  return kInt4NumberBytes + kInt4Strip * int4_row_bytes(form);
}

constexpr std::int64_t int4_column_blocks(std::int64_t columns) {
  return (columns + kInt4Columns - 1) / kInt4Columns;
}

constexpr std::int64_t int4_bytes(Int4Form form, std::int64_t rows, std::int64_t columns) {
  return rows / kInt4Strip * int4_column_blocks(columns) * int4_block_bytes(form);
}

// Lane 4 * (row % 8) + column / 4 % 4 holds, of each 32 columns, a word of columns 0 to 15 and one
// of 16 to 31, as columns 4 n to 4 n + 3; its eight words lie in two pieces of 16 bytes.
constexpr int int4_place(int row, int column) {
  const int lane = row % 8 * 4 + column / 4 % 4;
  const int word = column / 32 * 2 + column / 16 % 2;
  return word / 4 * 512 + lane * 16 + word % 4 * 4 + column % 4;
}

}  // namespace hangar::cuda
