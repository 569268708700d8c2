#include "tensor/tensor_view.h"

#include <cassert>

namespace hangar {
namespace {

// The scales of the rows from `first` on. Blocks of rows may begin in the middle of the slice, so
// the slice has a row of scales for each of its rows unless one block covers them all.
std::shared_ptr<const ScaleGrid> slice_scales(const ScaleGrid& grid, std::int64_t columns,
                                              std::int64_t first, std::int64_t count) {
  const auto across =
      static_cast<std::size_t>((columns + grid.block_columns - 1) / grid.block_columns);
  auto part = std::make_shared<ScaleGrid>();
  part->block_columns = grid.block_columns;
  const bool one_block = first / grid.block_rows == (first + count - 1) / grid.block_rows;
  part->block_rows = one_block ? count : 1;
  for (std::int64_t r = first; r < (one_block ? first + 1 : first + count); ++r) {
    const auto row =
        grid.values.begin() +
        static_cast<std::ptrdiff_t>(static_cast<std::size_t>(r / grid.block_rows) * across);
    part->values.insert(part->values.end(), row, row + static_cast<std::ptrdiff_t>(across));
  }
  return part;
}

}  // namespace

TensorView slice_rows(const TensorView& view, std::int64_t first, std::int64_t count) {
  assert(first >= 0 && count > 0 && first + count <= view.rows());
  TensorView part;
  part.name = view.name;
  part.dtype = view.dtype;
  part.shape = {count, view.columns()};
  const std::size_t bytes = row_bytes(view.dtype, view.columns());
  if (!view.data.empty()) {
    part.data = view.data.subspan(static_cast<std::size_t>(first) * bytes,
                                  static_cast<std::size_t>(count) * bytes);
  }
  part.input_order = view.input_order;
  part.group_columns = view.group_columns;
  part.owner = view.owner;
  part.first_row = view.first_row + first;
  if (view.scales) part.scales = slice_scales(*view.scales, view.columns(), first, count);
  return part;
}

}  // namespace hangar
