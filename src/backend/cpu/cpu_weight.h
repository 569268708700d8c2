// CpuWeight: a weight as the CPU computes with it.
//
// Promise: 4- and 8-bit types stay so, repacked into IntPanels; F32, F16 and BF16 matrices into
//   DensePanels, and F8_E4M3 too, as BF16, rounded with its scales. A single row (a norm, a bias)
//   is float32. read_row gives any row in float32: the file's numbers, from the panels (so that the
//   file's pages can leave memory) or, where those are rounded, from the file if the view is of
//   one.
// Errors: as Backend::load_weight.
// Threads: read-only once made.
#pragma once

#include <optional>

#include "backend/backend.h"
#include "backend/cpu/dense_panels.h"
#include "backend/cpu/int_panels.h"
#include "base/thread_pool.h"

namespace hangar::cpu {

using InputOrder = std::vector<std::int32_t>;

class CpuWeight final : public Weight {
 public:
  TensorView view;                   // without data where that was made for it and is packed now
  std::optional<IntPanels> panels;   // integer weights
  std::optional<DensePanels> dense;  // floating-point ones
  HostMemory single_row;             // a norm or a bias: neither of these
  bool fine_inputs = false;  // x in two planes of 8 bits instead of one, where it is rounded
  // Column j of the panels multiplies x's column (*input_order)[j]; nullptr: column j.
  std::shared_ptr<const InputOrder> input_order;

  // Groups of 16 outputs, the last one perhaps short.
  std::int64_t output_panels() const { return (rows + kPanelRows - 1) / kPanelRows; }
  // The numbers of a norm or a bias.
  const float* vector() const { return single_row.as<float>(); }
  // Row `row` as floats, by input feature.
  void read_row(std::int64_t row, float* out) const;
  // Sets `form` by panels, dense and view.
  void name_form();

 private:
  // Whether the panels' numbers are not quite the file's.
  bool rounded() const;
  void read_stored_row(std::int64_t row, float* out) const;
};

Result<std::unique_ptr<CpuWeight>> load_cpu_weight(const TensorView& view, ThreadPool& pool);

}  // namespace hangar::cpu
