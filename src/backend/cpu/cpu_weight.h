// CpuWeight: a weight as the CPU computes with it.
//
// Promise: 4- and 8-bit types stay so, repacked into IntPanels. F32, F16 and BF16 matrices are read
//   in place from the file where it aligns them; F8_E4M3 becomes BF16, rounded with its scales. A
//   single row (a norm, a bias) is float32. read_row gives any row in float32, from the file where
//   the view is of a file, without another copy of the table.
// Errors: as Backend::load_weight.
// Threads: read-only once made.
#pragma once

#include <optional>

#include "backend/backend.h"
#include "backend/cpu/dense_matmul.h"
#include "backend/cpu/int_panels.h"
#include "base/thread_pool.h"

namespace hangar::cpu {

using InputOrder = std::vector<std::int32_t>;

class CpuWeight final : public Weight {
 public:
  TensorView view;                  // without data where that was made for it and is packed now
  std::optional<IntPanels> panels;  // integer weights
  DenseMatrix dense;                // all others
  HostMemory copy;                  // what dense.data points to, unless it is the file
  bool fine_inputs = false;         // integer weights: x in two 8-bit planes instead of one
  // Column j of panels or dense multiplies x's column (*input_order)[j]; nullptr: column j.
  std::shared_ptr<const InputOrder> input_order;

  // Groups of 16 outputs, the last one perhaps short.
  std::int64_t output_panels() const { return (rows + kPanelRows - 1) / kPanelRows; }
  // The numbers of a norm or a bias.
  const float* vector() const { return static_cast<const float*>(dense.data); }
  // Row `row` as floats, by input feature.
  void read_row(std::int64_t row, float* out) const;

 private:
  void read_stored_row(std::int64_t row, float* out) const;
};

Result<std::unique_ptr<CpuWeight>> load_cpu_weight(const TensorView& view, ThreadPool& pool);

}  // namespace hangar::cpu
