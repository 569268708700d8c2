// Activation: a matrix that a backend computes with, in the backend's own memory.
//
// Promise: {rows, columns} of dtype, data aligned to 64 bytes, each row contiguous. Rows follow one
//   another, or where `stride` says so lie that many elements apart: columns of a wider matrix
//   (Backend::allocate_together). On the CPU backends dtype is F32, rows follow one another and
//   data can be read by the host; a device backend's data can not.
// Lifetime: a view; the backend's arena owns the memory (Backend::allocate).
// Threads: a value.
#pragma once

#include <cstdint>
#include <span>

#include "tensor/dtype.h"

namespace hangar {

struct Activation {
  void* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  DType dtype = DType::kF32;
  std::int64_t stride = 0;  // elements from one row to the next; 0: columns

  std::int64_t row_stride() const { return stride == 0 ? columns : stride; }
  float* f32() const { return static_cast<float*>(data); }
  std::span<float> row(std::int64_t r) const {
    return {f32() + r * columns, static_cast<std::size_t>(columns)};
  }
  // The same memory seen as fewer rows: scratch is made once for the largest step.
  Activation first_rows(std::int64_t n) const { return {data, n, columns, dtype, stride}; }
};

}  // namespace hangar
