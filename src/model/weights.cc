#include "model/weights.h"

#include <fmt/ranges.h>

namespace hangar {

Result<WeightPtr> WeightLoader::load(const std::string& name, std::int64_t rows,
                                     std::int64_t columns, InputPrecision precision) {
  HANGAR_TRY(WeightPtr weight, load_optional(name, rows, columns, precision));
  if (weight == nullptr) {
    return make_error(ErrorCode::kCorrupt, "tensor {} is missing; the model's config calls for it",
                      name);
  }
  return weight;
}

Result<WeightPtr> WeightLoader::load_optional(const std::string& name, std::int64_t rows,
                                              std::int64_t columns, InputPrecision precision) {
  const TensorView* view = checkpoint_.find(name);
  if (view == nullptr) return WeightPtr{};
  if (view->rows() != rows || view->columns() != columns || view->shape.size() > 2) {
    return make_error(ErrorCode::kCorrupt,
                      "tensor {} has shape [{}]; the model's config calls for [{}, {}]", name,
                      fmt::join(view->shape, ", "), rows, columns);
  }
  auto weight = backend_.load_weight(*view, precision);
  if (!weight) return with_context(std::move(weight.error()), "tensor " + name);
  total_bytes_ += (*weight)->memory_bytes;
  return std::move(*weight);
}

}  // namespace hangar
