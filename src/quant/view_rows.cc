#include "quant/view_rows.h"

#include <algorithm>
#include <vector>

#include "quant/dequantize.h"

namespace hangar {
namespace {

void multiply(const ScaleGrid& grid, std::int64_t row, float* out, std::int64_t columns) {
  const std::int64_t across = (columns + grid.block_columns - 1) / grid.block_columns;
  const float* scales = grid.values.data() + row / grid.block_rows * across;
  for (std::int64_t b = 0; b < across; ++b) {
    const std::int64_t end = std::min(columns, (b + 1) * grid.block_columns);
    for (std::int64_t c = b * grid.block_columns; c < end; ++c) out[c] *= scales[b];
  }
}

void dequantize_stored(const TensorView& view, std::int64_t row, float* out) {
  const std::size_t bytes = row_bytes(view.dtype, view.columns());
  dequantize_row(view.dtype, view.data.data() + static_cast<std::size_t>(row) * bytes, out,
                 view.columns());
  if (view.scales) multiply(*view.scales, row, out, view.columns());
}

}  // namespace

void dequantize_view_row(const TensorView& view, std::int64_t row, float* out) {
  if (!view.input_order) {
    dequantize_stored(view, row, out);
    return;
  }
  std::vector<float> stored(static_cast<std::size_t>(view.columns()));
  dequantize_stored(view, row, stored.data());
  for (std::size_t j = 0; j < stored.size(); ++j) out[(*view.input_order)[j]] = stored[j];
}

}  // namespace hangar
