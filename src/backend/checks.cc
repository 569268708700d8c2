#include "backend/checks.h"

#include <algorithm>
#include <cassert>
#include <vector>

#include "backend/host_memory.h"

namespace hangar {

namespace {

Status check_scales(const TensorView& view) {
  if (!view.scales) return {};
  const ScaleGrid& grid = *view.scales;
  if (view.dtype != DType::kF8E4M3 || grid.block_rows <= 0 || grid.block_columns <= 0) {
    return make_error(ErrorCode::kCorrupt, "tensor {}: blocks of {} x {} scales beside {}",
                      view.name, grid.block_rows, grid.block_columns, dtype_name(view.dtype));
  }
  const auto blocks = [](std::int64_t extent, std::int64_t block) {
    return extent / block + (extent % block != 0 ? 1 : 0);
  };
  const std::int64_t wanted =
      blocks(view.rows(), grid.block_rows) * blocks(view.columns(), grid.block_columns);
  if (std::ssize(grid.values) != wanted) {
    return make_error(ErrorCode::kCorrupt, "tensor {}: {} scales where its blocks want {}",
                      view.name, grid.values.size(), wanted);
  }
  return {};
}

Status check_input_order(const TensorView& view) {
  if (!view.input_order) return {};
  std::vector<bool> seen(static_cast<std::size_t>(view.columns()));
  bool permutation = view.input_order->size() == seen.size();
  for (std::size_t i = 0; permutation && i < seen.size(); ++i) {
    const std::int32_t input = (*view.input_order)[i];
    permutation = input >= 0 && input < view.columns() && !seen[static_cast<std::size_t>(input)];
    if (permutation) seen[static_cast<std::size_t>(input)] = true;
  }
  if (permutation) return {};
  return make_error(ErrorCode::kCorrupt,
                    "tensor {}: its order of inputs is no permutation of its {} columns", view.name,
                    view.columns());
}

}  // namespace

Status check_weight_view(const TensorView& view) {
  if (view.dtype == DType::kI32) {
    return make_error(ErrorCode::kUnsupported, "tensor {}: {} is no type of weights", view.name,
                      dtype_name(view.dtype));
  }
  std::int64_t rows = 1;
  for (std::size_t i = 0; i < view.shape.size(); ++i) {
    const std::int64_t extent = view.shape[i];
    if (extent <= 0) {
      return make_error(ErrorCode::kCorrupt, "tensor {}: dimension {} is {}", view.name, i, extent);
    }
    if (i + 1 < view.shape.size() && __builtin_mul_overflow(rows, extent, &rows)) {
      return make_error(ErrorCode::kCorrupt, "tensor {}: its shape overflows", view.name);
    }
  }
  const DTypeInfo& info = dtype_info(view.dtype);
  if (view.columns() % info.block_elements != 0) {
    return make_error(ErrorCode::kCorrupt, "tensor {}: rows of {} elements are no whole {} blocks",
                      view.name, view.columns(), info.name);
  }
  const auto bytes = checked_product(
      {rows, view.columns() / info.block_elements, static_cast<std::int64_t>(info.block_bytes)});
  if (!bytes || *bytes != view.data.size()) {
    return make_error(ErrorCode::kCorrupt, "tensor {}: {} bytes where {} rows of {} {} need {}",
                      view.name, view.data.size(), rows, view.columns(), info.name,
                      bytes.value_or(0));
  }
  HANGAR_CHECK_OK(check_scales(view));
  return check_input_order(view);
}

Status check_kv_shape(const KvShape& shape) {
  if (shape.layers <= 0 || shape.blocks <= 0 || shape.block_tokens <= 0 || shape.kv_heads <= 0 ||
      shape.head_dim <= 0) {
    return make_error(ErrorCode::kInvalidArgument,
                      "KV cache: {} layers, {} blocks of {} tokens, {} heads of {}: all must be "
                      "positive",
                      shape.layers, shape.blocks, shape.block_tokens, shape.kv_heads,
                      shape.head_dim);
  }
  // 2 for keys and values, 8 for the largest element, 64 for padding of small blocks.
  if (!checked_product({2 * 8 * 64, shape.layers, shape.blocks, shape.block_tokens, shape.kv_heads,
                        shape.head_dim})) {
    return make_error(ErrorCode::kResourceExhausted, "KV cache: {} blocks do not fit an address",
                      shape.blocks);
  }
  return {};
}

Result<std::size_t> activation_bytes(std::int64_t rows, std::int64_t columns) {
  const auto bytes = checked_product({rows, columns, static_cast<std::int64_t>(sizeof(float))});
  if (!bytes) {
    return make_error(ErrorCode::kInvalidArgument, "no matrix of {} rows and {} columns", rows,
                      columns);
  }
  return *bytes;
}

void assert_sample_rows([[maybe_unused]] Activation logits,
                        [[maybe_unused]] std::span<const SampleRow> rows,
                        [[maybe_unused]] std::span<const Sampled> out) {
  assert(rows.size() == out.size());
  assert(std::ranges::all_of(rows, [&](const SampleRow& row) {
    return row.row >= 0 && row.row < logits.rows && row.forced < logits.columns;
  }));
}

}  // namespace hangar
