// CpuWeight: a weight as the CPU computes with it.
//
// Promise: 4- and 8-bit types stay so, repacked into IntPanels. F32, F16 and BF16 matrices are read
//   in place from the file where it aligns them. A single row (a norm, a bias) is float32. The
//   file's view is kept, so that an embedding reads one row without another copy of the table.
// Errors: as Backend::load_weight.
// Threads: read-only once made.
#pragma once

#include <optional>

#include "backend/backend.h"
#include "backend/cpu/dense_matmul.h"
#include "backend/cpu/int_panels.h"
#include "base/thread_pool.h"

namespace hangar::cpu {

class CpuWeight final : public Weight {
 public:
  TensorView view;
  std::optional<IntPanels> panels;  // integer weights
  DenseMatrix dense;                // all others
  HostMemory copy;                  // what dense.data points to, unless it is the file
  bool fine_inputs = false;         // integer weights: x in two 8-bit planes instead of one

  // Groups of 16 outputs, the last one perhaps short.
  std::int64_t output_panels() const { return (rows + kPanelRows - 1) / kPanelRows; }
  // The numbers of a norm or a bias.
  const float* vector() const { return static_cast<const float*>(dense.data); }
};

Result<std::unique_ptr<CpuWeight>> load_cpu_weight(const TensorView& view, ThreadPool& pool);

}  // namespace hangar::cpu
