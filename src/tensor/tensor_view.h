// TensorView: a named, typed, shaped window on bytes that someone else owns (a mapped file).
//
// Promise: data.size() is exactly what shape and dtype call for; whoever makes one checks that.
// Shapes: row-major, outermost first: a weight of a linear layer is {out_features, in_features}
//   (GGUF writes the same numbers innermost first). The last dimension is contiguous.
// Threads: values; the bytes are read-only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tensor/dtype.h"

namespace hangar {

struct TensorView {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> data;

  std::int64_t elements() const {
    std::int64_t n = 1;
    for (const std::int64_t d : shape) n *= d;
    return n;
  }
  // The matrix this is when all outer dimensions are taken as rows.
  std::int64_t columns() const { return shape.empty() ? 1 : shape.back(); }
  std::int64_t rows() const { return columns() == 0 ? 0 : elements() / columns(); }
};

}  // namespace hangar
