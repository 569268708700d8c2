#include "backend/cuda/weights_scales.h"

#include <algorithm>
#include <utility>

namespace hangar::cuda {

ScalePool::ScalePool(TakeMemory take) : take_(std::move(take)) {}

float* ScalePool::take(std::int64_t rows, std::int64_t columns) {
  constexpr std::size_t kAlignmentBytes = 256;
  constexpr std::int64_t kAlignmentRows = 4;
  const bool begins = columns != columns_;
  if (begins) {  // left_rows_ counts down from a multiple of it
    const std::int64_t odd = left_rows_ % kAlignmentRows;
    next_ += odd;
    left_rows_ -= odd;
  }
  if (left_rows_ < (begins ? std::max(rows, kRunRows) : rows)) {
    const std::int64_t wanted =
        (std::max(rows, kPieceRows) + kAlignmentRows - 1) / kAlignmentRows * kAlignmentRows;
    auto* piece = static_cast<float*>(
        take_(static_cast<std::size_t>(wanted) * sizeof(float), kAlignmentBytes));
    if (piece == nullptr) return nullptr;
    next_ = piece;
    left_rows_ = wanted;
  }
  columns_ = columns;
  float* scales = next_;
  next_ += rows;
  left_rows_ -= rows;
  return scales;
}

}  // namespace hangar::cuda
