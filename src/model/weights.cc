#include "model/weights.h"

#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <utility>
#include <vector>

namespace hangar {
namespace {

tl::unexpected<Error> missing(std::string_view name) {
  return make_error(ErrorCode::kCorrupt, "tensor {} is missing; the model's config calls for it",
                    name);
}

tl::unexpected<Error> wrong_shape(const TensorView& view,
                                  const std::vector<std::int64_t>& expected) {
  return make_error(ErrorCode::kCorrupt,
                    "tensor {} has shape [{}]; the model's config calls for [{}]", view.name,
                    fmt::join(view.shape, ", "), fmt::join(expected, ", "));
}

Status check_matrix(const TensorView& view, std::int64_t rows, std::int64_t columns) {
  if (view.rows() == rows && view.columns() == columns && view.shape.size() <= 2) return {};
  return wrong_shape(view, {rows, columns});
}

// Frequencies that older converters stored beside the weights; the config says them all.
bool holds_rotary_frequencies(std::string_view name) {
  return name.find("rope_freqs") != std::string_view::npos ||
         name.find("rope_factors_") != std::string_view::npos ||
         name.find("attn_rot_embd") != std::string_view::npos ||
         name.find("rotary_emb.inv_freq") != std::string_view::npos;
}

}  // namespace

Result<TensorView> WeightLoader::read(std::string_view name) {
  const TensorView* listed = checkpoint_.find(name);
  if (listed == nullptr) return TensorView{};
  used_.insert(listed);
  if (last_.name == name) return last_;
  HANGAR_TRY(last_, checkpoint_.read(*listed));
  last_.name = name;
  return last_;
}

Result<WeightPtr> WeightLoader::take(const TensorView& view, InputPrecision precision) {
  const std::optional<RandomWeights> random = checkpoint_.random_weights();
  auto weight = random ? backend_.random_weight(view, *random, precision)
                       : backend_.load_weight(view, precision);
  if (!weight) return with_context(std::move(weight.error()), "tensor " + view.name);
  total_bytes_ += (*weight)->memory_bytes;
  if (view.owner == nullptr) checkpoint_.release(view.data);
  return std::move(*weight);
}

WeightPtr WeightLoader::take_prepared(const TensorView& listed, const TensorView& part,
                                      InputPrecision precision) {
  WeightPtr weight = backend_.take_prepared(part, precision);
  if (weight == nullptr) return nullptr;
  used_.insert(&listed);
  total_bytes_ += weight->memory_bytes;
  return weight;
}

Result<WeightPtr> WeightLoader::load(const std::string& name, std::int64_t rows,
                                     std::int64_t columns, InputPrecision precision) {
  HANGAR_TRY(WeightPtr weight, load_optional(name, rows, columns, precision));
  if (weight == nullptr) return missing(name);
  return weight;
}

Result<WeightPtr> WeightLoader::load_optional(const std::string& name, std::int64_t rows,
                                              std::int64_t columns, InputPrecision precision) {
  if (!has(name)) return WeightPtr{};
  return load_rows(name, {0, rows, rows}, columns, precision);
}

Result<WeightPtr> WeightLoader::load_rows(const std::string& name, RowRange rows,
                                          std::int64_t columns, InputPrecision precision) {
  const TensorView* listed = checkpoint_.find(name);
  if (listed == nullptr) return missing(name);
  HANGAR_CHECK_OK(check_matrix(*listed, rows.total, columns));
  const auto part_of = [&](const TensorView& view) {
    TensorView part = rows.count == rows.total ? view : slice_rows(view, rows.first, rows.count);
    part.name = name;
    return part;
  };
  if (WeightPtr prepared = take_prepared(*listed, part_of(*listed), precision)) return prepared;
  HANGAR_TRY(const TensorView view, read(name));
  HANGAR_CHECK_OK(check_matrix(view, rows.total, columns));
  return take(part_of(view), precision);
}

Result<WeightPtr> WeightLoader::load_bias(const std::string& name, RowRange elements,
                                          std::optional<bool> called_for) {
  if (called_for ? !*called_for : !has(name)) return WeightPtr{};
  HANGAR_TRY(TensorView view, read(name));
  if (view.name.empty()) return missing(name);
  HANGAR_CHECK_OK(check_matrix(view, 1, elements.total));
  if (elements.count != elements.total) {
    view.shape = {elements.total, 1};
    if (dtype_info(view.dtype).block_elements != 1) {
      return make_error(ErrorCode::kUnsupported, "tensor {}: a fused bias of {} is not supported",
                        name, dtype_name(view.dtype));
    }
    view = slice_rows(view, elements.first, elements.count);
    view.shape = {elements.count};
  }
  return take(view, InputPrecision::kFast);
}

Result<WeightPtr> WeightLoader::load_expert(const std::string& stem, std::int32_t expert,
                                            std::int32_t experts, RowRange part,
                                            std::int64_t columns) {
  const std::string stacked = stem + "_exps.weight";
  const std::string single = fmt::format("{}.{}.weight", stem, expert);
  const bool one_by_one = has(single) || has(stem + ".0.weight");
  if (!has(stacked) && one_by_one) return load_rows(single, part, columns);
  const TensorView* listed = checkpoint_.find(stacked);
  if (listed == nullptr) return missing(stacked);
  const std::vector<std::int64_t> expected = {experts, part.total, columns};
  if (listed->shape != expected) return wrong_shape(*listed, expected);
  const auto part_of = [&](const TensorView& view) {
    return slice_rows(view, expert * part.total + part.first, part.count);
  };
  if (WeightPtr prepared = take_prepared(*listed, part_of(*listed), InputPrecision::kFast)) {
    return prepared;
  }
  HANGAR_TRY(const TensorView view, read(stacked));
  if (view.shape != expected) return wrong_shape(view, expected);
  return take(part_of(view), InputPrecision::kFast);
}

Status WeightLoader::refuse_unused(const ModelConfig& config) const {
  std::size_t others = 0;
  std::string_view first_other;
  for (const TensorView& tensor : checkpoint_.tensors()) {
    const std::string_view name = tensor.name;
    if (used_.contains(checkpoint_.find(name)) || holds_rotary_frequencies(name)) continue;
    if (config.tied_embeddings && name == "output.weight") continue;
    if (name.starts_with("blk.") || name.starts_with("output") || name.starts_with("token_")) {
      return make_error(ErrorCode::kUnsupported,
                        "tensor {} has no place in architecture \"{}\" as the model's config "
                        "describes it; answers computed without it would be wrong",
                        name, config.architecture);
    }
    if (others++ == 0) first_other = name;
  }
  if (others > 0) {
    spdlog::warn("{} tensors are no part of the text model and stay unused: {}{}", others,
                 first_other, others > 1 ? ", ..." : "");
  }
  return {};
}

}  // namespace hangar
