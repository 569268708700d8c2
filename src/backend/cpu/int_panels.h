// IntPanels: a weight matrix in 4 or 8 bits, laid out so that a register's lanes are output rows.
//
// Promise: w = scale * (q - zero_point) per row and group of columns, plus a minimum or less scale
// *
//   zero by `offset`: exactly the numbers of the file (a float scale with a zero point other than 8
//   or 128 rounds its minimum once). 16 rows make a panel; rows beyond the matrix are zero. A
//   panel's sections, each aligned to 64 bytes: scales [group][16], offsets [group][16] if there
//   are any, then values. Values go by quads, 4 neighbouring columns of each of the 16 rows: 64
//   bytes [row][4] for 8 bits. At 4 bits, quads 2j (low nibbles) and 2j + 1 (high nibbles) share 64
//   bytes. Columns are as the file stores them: a view's input_order is the caller's to apply.
// Why: a dot product of 4 bytes by 4 bytes into each 32-bit lane is what VNNI does, and what two
//   instructions do without it; 16 lanes are one AVX-512, two AVX2 or four SSE4 registers.
// Errors: pack_int_panels: kResourceExhausted.
// Threads: read-only once packed.
#pragma once

#include <cstdint>
#include <optional>

#include "backend/host_memory.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "tensor/tensor_view.h"

namespace hangar::cpu {

inline constexpr std::int64_t kPanelRows = 16;

enum class PanelOffset : std::uint8_t {
  kNone,
  kMinimum,      // + minimum
  kNegatedZero,  // + scale * (-zero), with the negated zero stored, an integer that f16 holds
};

struct IntPanels {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  int bits = 0;             // 4 or 8
  int group = 0;            // columns: 32 or 16
  int zero_point = 0;       // 0 or 8 at 4 bits, 128 at 8 bits (values are stored unsigned)
  bool half_scales = true;  // scales and offsets as f16, where that holds them exactly; else f32
  PanelOffset offset = PanelOffset::kNone;
  std::int64_t offsets_at = 0;  // bytes from the panel's start
  std::int64_t values_at = 0;
  std::int64_t panel_bytes = 0;
  HostMemory memory;

  std::int64_t panels() const { return (rows + kPanelRows - 1) / kPanelRows; }
  std::int64_t groups() const { return columns / group; }
  const std::byte* panel(std::int64_t p) const { return memory.data() + p * panel_bytes; }
};

// Whether tensors of this type can be packed; others are computed in floating point.
bool can_pack_int_panels(DType dtype);
// Sets where a panel's sections lie, by the fields above them. The bytes of all panels, or nothing
// where that is no size.
std::optional<std::size_t> place_sections(IntPanels& w);
Result<IntPanels> pack_int_panels(const TensorView& view, ThreadPool& pool);
// One row's numbers, w.columns of them, in the order the panels store them.
void dequantize_panel_row(const IntPanels& w, std::int64_t row, float* out);

}  // namespace hangar::cpu
