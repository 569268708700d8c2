#include "formats/hf/fp8_module.h"

namespace hangar::hf {
namespace {

std::int64_t blocks_of(std::int64_t extent, std::int64_t block) {
  return extent / block + (extent % block != 0 ? 1 : 0);
}

Result<ScaleGrid> grid_of(const ModuleTensors& parts, const RawTensor& weight,
                          const RawTensor& scale, std::optional<BlockShape> blocks) {
  const std::int64_t rows = weight.shape[0];
  const std::int64_t columns = weight.shape[1];
  ScaleGrid grid;
  HANGAR_TRY(grid.values, parts.floats(scale));
  if (blocks) {
    grid.block_rows = blocks->rows;
    grid.block_columns = blocks->columns;
    const std::vector<std::int64_t> wanted = {blocks_of(rows, blocks->rows),
                                              blocks_of(columns, blocks->columns)};
    if (scale.shape != wanted) return parts.wrong_shape(scale, shape_text(wanted));
    return grid;
  }
  grid.block_columns = columns;
  if (grid.values.size() == 1) {
    grid.block_rows = rows;
    return grid;
  }
  const bool channels =
      (scale.shape.size() == 1 || (scale.shape.size() == 2 && scale.shape[1] == 1)) &&
      scale.shape[0] == rows;
  if (!channels) return parts.wrong_shape(scale, fmt::format("one scale or [{}, 1]", rows));
  grid.block_rows = 1;
  return grid;
}

Result<const RawTensor*> weight_of(const ModuleTensors& parts) {
  HANGAR_TRY(const RawTensor* weight, parts.get("weight"));
  if (weight->type == RawType::kF8E5M2) {
    return make_error(ErrorCode::kUnsupported, "tensor '{}': F8_E5M2 is not read; F8_E4M3 is",
                      weight->name);
  }
  return parts.get("weight", {RawType::kF8E4M3}, 2);
}

}  // namespace

bool has_fp8_weight(const ModuleTensors& parts) {
  const RawTensor* weight = parts.find("weight");
  return weight != nullptr &&
         (weight->type == RawType::kF8E4M3 || weight->type == RawType::kF8E5M2);
}

Result<TensorView> describe_fp8(const ModuleTensors& parts) {
  HANGAR_TRY(const RawTensor* weight, weight_of(parts));
  TensorView view;
  view.name = weight->name;
  view.dtype = DType::kF8E4M3;
  view.shape = weight->shape;
  return view;
}

Result<TensorView> read_fp8(const ModuleTensors& parts, std::string_view scale,
                            std::optional<BlockShape> blocks) {
  HANGAR_TRY(TensorView view, describe_fp8(parts));
  HANGAR_TRY(const RawTensor* weight, weight_of(parts));
  HANGAR_TRY(const RawTensor* scales, parts.get(scale));
  HANGAR_TRY(ScaleGrid grid, grid_of(parts, *weight, *scales, blocks));
  view.scales = std::make_shared<const ScaleGrid>(std::move(grid));
  view.data = weight->data;
  return view;
}

}  // namespace hangar::hf
