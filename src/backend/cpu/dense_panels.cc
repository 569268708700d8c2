#include "backend/cpu/dense_panels.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "quant/view_rows.h"
#include "tensor/float16.h"

namespace hangar::cpu {
namespace {

// Where the rows of one panel begin: nullptr beyond the matrix.
using PanelSources = std::array<const std::byte*, kPanelRows>;

// Units of `unit_bytes` (a column, or a pair of BF16 columns) of 16 rows, one row beside the other.
template <std::size_t kUnitBytes>
void interleave(const PanelSources& rows, std::int64_t units, std::byte* to) {
  for (std::int64_t i = 0; i < units; ++i) {
    for (const std::byte* row : rows) {
      if (row != nullptr) {
        std::memcpy(to, row + static_cast<std::size_t>(i) * kUnitBytes, kUnitBytes);
      }
      to += kUnitBytes;
    }
  }
}

void write_panel(const DensePanels& w, const PanelSources& rows, std::byte* panel) {
  switch (w.dtype) {
    case DType::kF32:
      interleave<4>(rows, w.columns, panel);
      return;
    case DType::kF16:
      interleave<2>(rows, w.columns, panel);
      return;
    default:
      break;
  }
  interleave<4>(rows, w.columns / 2, panel);
  if (w.columns % 2 == 0) return;
  // The last pair has one column.
  std::byte* pair = panel + w.columns / 2 * kPanelRows * 4;
  for (const std::byte* row : rows) {
    if (row != nullptr) std::memcpy(pair, row + (w.columns - 1) * 2, 2);
    pair += 4;
  }
}

// Rows of any dtype that is not itself F32, F16 or BF16, as BF16.
class RoundedRows {
 public:
  explicit RoundedRows(std::int64_t columns)
      : columns_(static_cast<std::size_t>(columns)),
        floats_(columns_),
        rounded_(columns_ * kPanelRows) {}

  PanelSources load(const TensorView& view, std::int64_t first_row, std::int64_t count) {
    PanelSources rows{};
    for (std::int64_t i = 0; i < count; ++i) {
      dequantize_view_row(view, first_row + i, floats_.data());
      std::uint16_t* to = rounded_.data() + static_cast<std::size_t>(i) * columns_;
      std::ranges::transform(floats_, to, float_to_bfloat16);
      rows[static_cast<std::size_t>(i)] = reinterpret_cast<const std::byte*>(to);
    }
    return rows;
  }

 private:
  std::size_t columns_;
  std::vector<float> floats_;
  std::vector<std::uint16_t> rounded_;
};

}  // namespace

bool can_pack_dense_panels(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16 ||
         dtype == DType::kF8E4M3;
}

std::optional<std::size_t> place_panels(DensePanels& w) {
  const std::int64_t stored = w.dtype == DType::kBF16 ? w.blocks() * kBf16Block : w.columns;
  const auto element_bytes = static_cast<std::int64_t>(dtype_info(w.dtype).block_bytes);
  const auto bytes = checked_product({w.panels(), stored, kPanelRows * element_bytes});
  if (bytes) w.panel_bytes = stored * kPanelRows * element_bytes;
  return bytes;
}

Result<DensePanels> pack_dense_panels(const TensorView& view, ThreadPool& pool) {
  const bool rounds = view.dtype == DType::kF8E4M3;
  DensePanels w;
  w.dtype = rounds ? DType::kBF16 : view.dtype;
  w.rows = view.rows();
  w.columns = view.columns();
  const auto bytes = place_panels(w);
  if (!bytes) {
    return make_error(ErrorCode::kResourceExhausted, "tensor {} does not fit an address",
                      view.name);
  }
  HANGAR_TRY(w.memory, HostMemory::allocate(*bytes, view.name));

  const std::size_t file_row_bytes = row_bytes(view.dtype, w.columns);
  const auto pack = [&](std::int64_t begin, std::int64_t end, int /*worker*/) {
    RoundedRows rounded(rounds ? w.columns : 0);
    for (std::int64_t p = begin; p < end; ++p) {
      const std::int64_t first = p * kPanelRows;
      const std::int64_t count = std::min(kPanelRows, w.rows - first);
      PanelSources rows{};
      if (rounds) {
        rows = rounded.load(view, first, count);
      } else {
        for (std::int64_t i = 0; i < count; ++i) {
          rows[static_cast<std::size_t>(i)] =
              view.data.data() + static_cast<std::size_t>(first + i) * file_row_bytes;
        }
      }
      write_panel(w, rows, w.memory.data() + p * w.panel_bytes);
    }
  };
  pool.parallel_for(w.panels(), 4, pack);
  return w;
}

void read_dense_panel_row(const DensePanels& w, std::int64_t row, float* out) {
  const std::byte* panel = w.panel(row / kPanelRows);
  const std::int64_t lane = row % kPanelRows;
  const auto half = [&](std::int64_t index) {
    std::uint16_t value;
    std::memcpy(&value, panel + index * 2, sizeof(value));
    return value;
  };
  for (std::int64_t c = 0; c < w.columns; ++c) {
    switch (w.dtype) {
      case DType::kF32:
        std::memcpy(out + c, panel + (c * kPanelRows + lane) * 4, sizeof(float));
        break;
      case DType::kF16:
        out[c] = half_to_float(half(c * kPanelRows + lane));
        break;
      default:
        out[c] = bfloat16_to_float(half((c / 2 * kPanelRows + lane) * 2 + c % 2));
        break;
    }
  }
}

}  // namespace hangar::cpu
