#include "backend/checks.h"

#include "backend/host_memory.h"

namespace hangar {

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
  return {};
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

}  // namespace hangar
