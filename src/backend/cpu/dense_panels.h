// DensePanels: a weight matrix in floating point, laid out so that a register's lanes are output
// rows.
//
// Promise: exactly the numbers of the file (F8_E4M3 times its scales is rounded to BF16: 8 bits of
//   mantissa where the product has up to 28). 16 rows make a panel; rows beyond the matrix are
//   zero. F32 and F16 are [columns][16]; BF16 goes by pairs of neighbouring columns,
//   [columns / 2][16][2], columns beyond the matrix zero up to a multiple of 32. Columns are as the
//   file stores them: a view's input_order is the caller's to apply.
// Why: 16 lanes are one AVX-512, two AVX2 or four SSE4 registers, without a sum across lanes at the
//   end. The pairs are what AVX-512's dot products of BF16 read, and 32 columns of a panel, 1 KiB
//   in one piece, are a tile of AMX; elsewhere a shift and a mask make two columns of floats.
// Errors: pack_dense_panels: kResourceExhausted.
// Threads: read-only once packed.
#pragma once

#include <cstdint>
#include <optional>

#include "backend/cpu/int_panels.h"
#include "backend/host_memory.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "tensor/tensor_view.h"

namespace hangar::cpu {

// Columns of BF16 panels are padded to whole blocks of so many.
inline constexpr std::int64_t kBf16Block = 32;

struct DensePanels {
  DType dtype = DType::kF32;  // F32, F16 or BF16
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t panel_bytes = 0;
  HostMemory memory;

  std::int64_t panels() const { return (rows + kPanelRows - 1) / kPanelRows; }
  const std::byte* panel(std::int64_t p) const { return memory.data() + p * panel_bytes; }
  // Blocks of kBf16Block columns, of BF16.
  std::int64_t blocks() const { return (columns + kBf16Block - 1) / kBf16Block; }
};

// Whether tensors of this type are packed so: F32, F16, BF16, F8_E4M3.
bool can_pack_dense_panels(DType dtype);
// Sets panel_bytes by the fields above it. The bytes of all panels, or nothing where that is no
// size.
std::optional<std::size_t> place_panels(DensePanels& w);
Result<DensePanels> pack_dense_panels(const TensorView& view, ThreadPool& pool);
// One row's numbers, w.columns of them, in the order the panels store them.
void read_dense_panel_row(const DensePanels& w, std::int64_t row, float* out);

}  // namespace hangar::cpu
