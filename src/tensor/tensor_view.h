// TensorView: a named, typed, shaped window on bytes that someone else owns (a mapped file).
//
// Promise: data.size() is exactly what shape and dtype call for; whoever makes one checks that.
// Shapes: row-major, outermost first: a weight of a linear layer is {out_features, in_features}
//   (GGUF writes the same numbers innermost first). The last dimension is contiguous.
// Threads: values; the bytes are read-only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tensor/dtype.h"

namespace hangar {

// Scales beside an F8_E4M3 matrix: element (r, c) is multiplied by
// values[r / block_rows * (blocks a row) + c / block_columns]. Per tensor: one block of the whole
// shape; per channel: block_rows 1, block_columns the columns.
struct ScaleGrid {
  std::vector<float> values;
  std::int64_t block_rows = 1;
  std::int64_t block_columns = 1;
};

struct TensorView {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> data = {};
  std::shared_ptr<const ScaleGrid> scales{};  // F8_E4M3 only; nullptr: scale 1
  // GPTQ act-order: stored column j belongs to input feature (*input_order)[j]; a permutation of
  // the columns. nullptr: they are in order.
  std::shared_ptr<const std::vector<std::int32_t>> input_order{};
  // INT4_G32, INT8_G32: column c (as stored) shares scale and zero with all of the same c /
  // group_columns; 0: with those of its block.
  std::int64_t group_columns = 0;
  std::shared_ptr<const void> owner{};  // keeps converted bytes alive; nullptr: they are a file's
  std::int64_t first_row = 0;           // where this is some rows of the tensor of that name

  std::int64_t elements() const {
    std::int64_t n = 1;
    for (const std::int64_t d : shape) n *= d;
    return n;
  }
  // The matrix this is when all outer dimensions are taken as rows.
  std::int64_t columns() const { return shape.empty() ? 1 : shape.back(); }
  std::int64_t rows() const { return columns() == 0 ? 0 : elements() / columns(); }
};

// Rows [first, first + count) of the matrix `view` is, as a matrix of its own: parts of fused
// weights (qkv, gate and up) and experts of a stack. The range lies inside. Of a view without data
// (Checkpoint::tensors() has such) the slice has none either.
TensorView slice_rows(const TensorView& view, std::int64_t first, std::int64_t count);

}  // namespace hangar
