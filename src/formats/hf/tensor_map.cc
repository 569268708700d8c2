#include "formats/hf/tensor_map.h"

#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <unordered_set>

#include "formats/gguf/cursor.h"
#include "formats/hf/module_sizes.h"
#include "formats/hf/safetensors.h"
#include "quant/dequantize.h"

namespace hangar::hf {
namespace {

// Where the layers are: plain models, the text half of multimodal ones in their older and newer
// spelling, and a model saved without its head's class.
struct Place {
  std::string_view layers;  // "model."
  std::string_view head;
};
constexpr std::array kPlaces = {
    Place{"model.", "lm_head"},
    Place{"model.language_model.", "lm_head"},
    Place{"language_model.model.", "language_model.lm_head"},
    Place{"", "lm_head"},
};

// Known to be of no use: tables that are computed anew, the picture half of multimodal models, and
// scales for keys and values in 8 bits, which are kept in 16 here.
bool is_superfluous(std::string_view name) {
  return name.ends_with("rotary_emb.inv_freq") || name.ends_with(".k_scale") ||
         name.ends_with(".v_scale") || name.ends_with(".q_scale") ||
         name.find("vision_tower.") != std::string_view::npos ||
         name.find("multi_modal_projector.") != std::string_view::npos;
}

// The types that are computed with as they are.
std::optional<DType> plain_type(RawType type) {
  switch (type) {
    case RawType::kF32:
      return DType::kF32;
    case RawType::kF16:
      return DType::kF16;
    case RawType::kBF16:
      return DType::kBF16;
    default:
      return std::nullopt;
  }
}

class Mapper {
 public:
  Mapper(const FolderConfig& config, const RawTensors& raw, const LinearFormat* format,
         std::string_view file)
      : config_(config), model_(config.model), raw_(raw), format_(format), file_(file) {
    used_.resize(raw.all().size());
  }

  Result<MappedModel> map() {
    const Place place = find_place();
    const std::string layers(place.layers);
    HANGAR_CHECK_OK(
        add_matrix(layers + "embed_tokens", "token_embd", model_.vocabulary, model_.hidden));
    for (std::int32_t layer = 0; layer < model_.layers; ++layer) {
      for (const ModuleRule& rule : config_.type->modules) {
        HANGAR_CHECK_OK(add_module(rule, fmt::format("{}layers.{}.", layers, layer), layer));
      }
    }
    HANGAR_CHECK_OK(add_norm(layers + "norm", "output_norm", model_.hidden));
    const std::string head(place.head);
    if (model_.tied_embeddings) {
      use(head + ".weight");  // a copy of the embeddings that some files have
    } else {
      HANGAR_CHECK_OK(add_matrix(head, "output", model_.vocabulary, model_.hidden));
    }
    log_unused();
    return std::move(out_);
  }

 private:
  Place find_place() const {
    for (const Place& place : kPlaces) {
      const std::string table = std::string(place.layers) + "embed_tokens";
      if (raw_.find(table + ".weight") != nullptr) return place;
      if (format_ != nullptr && format_->holds(raw_, table)) return place;
    }
    return kPlaces[0];
  }

  std::int64_t size_of(Size size) const { return module_size(size, model_); }

  const RawTensor* use(std::string_view name) {
    const RawTensor* tensor = raw_.find(name);
    if (tensor != nullptr) used_[static_cast<std::size_t>(tensor - raw_.all().data())] = true;
    return tensor;
  }

  Result<const RawTensor*> require(const std::string& name) {
    const RawTensor* tensor = use(name);
    if (tensor == nullptr) {
      return make_error(ErrorCode::kCorrupt, "{}: tensor '{}' is missing; config.json calls for it",
                        file_, name);
    }
    return tensor;
  }

  Status check_shape(std::string_view name, const std::vector<std::int64_t>& found,
                     const std::vector<std::int64_t>& expected) const {
    if (found == expected) return {};
    return make_error(ErrorCode::kCorrupt,
                      "{}: tensor '{}': shape {{{}}} found, {{{}}} expected by config.json", file_,
                      name, fmt::join(found, ", "), fmt::join(expected, ", "));
  }

  Result<DType> check_type(const RawTensor& tensor) const {
    if (const std::optional<DType> type = plain_type(tensor.type)) return *type;
    return make_error(ErrorCode::kUnsupported,
                      "{}: tensor '{}': weights of type {} are not supported{}", file_, tensor.name,
                      safetensors_type_name(tensor.type),
                      tensor.type == RawType::kF8E4M3
                          ? " without a quantization_config in config.json that says how they are "
                            "scaled"
                          : "; save the model in BF16, F16 or F32");
  }

  void list(TensorView view, std::string module = "") {
    out_.tensors.push_back(std::move(view));
    out_.modules.push_back(std::move(module));
  }

  Status add_module(const ModuleRule& rule, const std::string& prefix, std::int32_t layer) {
    if (!layer_has_module(rule, model_, layer)) return {};
    const std::string gguf = fmt::format("blk.{}.{}", layer, rule.gguf);
    const std::string hf = prefix + std::string(rule.hf);
    if (rule.vector) return add_norm(hf, gguf, size_of(rule.rows));
    const std::string hf_too = rule.hf_too.empty() ? "" : prefix + std::string(rule.hf_too);
    if (rule.hf.find('#') != std::string_view::npos) return add_experts(rule, hf, hf_too, gguf);
    const bool other = !hf_too.empty() && !is_there(hf) && is_there(hf_too);
    HANGAR_CHECK_OK(
        add_matrix(other ? hf_too : hf, gguf, size_of(rule.rows), size_of(rule.columns)));
    if (!module_has_bias(rule.bias, config_)) return {};
    return add_vector(hf + ".bias", gguf + ".bias", size_of(rule.rows), 0.0F);
  }

  bool is_there(const std::string& module) const {
    return raw_.find(module + ".weight") != nullptr ||
           (format_ != nullptr && format_->holds(raw_, module));
  }

  Status add_norm(const std::string& hf, const std::string& gguf, std::int64_t length) {
    return add_vector(hf + ".weight", gguf + ".weight", length,
                      config_.type->norms_add_one ? 1.0F : 0.0F);
  }

  Status add_vector(const std::string& hf, const std::string& gguf, std::int64_t length,
                    float offset) {
    HANGAR_TRY(const RawTensor* tensor, require(hf));
    HANGAR_CHECK_OK(check_shape(hf, tensor->shape, {length}));
    HANGAR_TRY(const DType type, check_type(*tensor));
    auto values = std::make_shared<std::vector<float>>(static_cast<std::size_t>(length));
    dequantize_row(type, tensor->data.data(), values->data(), length);
    for (float& value : *values) value += offset;
    TensorView view{.name = gguf, .dtype = DType::kF32, .shape = {length}};
    view.data = std::as_bytes(std::span<const float>(*values));
    view.owner = std::move(values);
    list(std::move(view));
    return {};
  }

  Status add_matrix(const std::string& module, const std::string& gguf, std::int64_t rows,
                    std::int64_t columns) {
    if (format_ != nullptr && format_->holds(raw_, module)) {
      HANGAR_TRY(TensorView view, format_->describe(raw_, module));
      HANGAR_CHECK_OK(check_shape(module, view.shape, {rows, columns}));
      view.name = gguf + ".weight";
      packed_.insert(module);
      list(std::move(view), module);
      return {};
    }
    const std::string hf = module + ".weight";
    HANGAR_TRY(const RawTensor* tensor, require(hf));
    HANGAR_CHECK_OK(check_shape(hf, tensor->shape, {rows, columns}));
    HANGAR_TRY(const DType type, check_type(*tensor));
    list({.name = gguf + ".weight", .dtype = type, .shape = {rows, columns}, .data = tensor->data});
    return {};
  }

  // "....experts.#.w1", one tensor an expert; or, as transformers 5 keeps them in memory, all in
  // one: "...experts.gate_up_proj" {experts, 2 * inner, hidden}, "...experts.down_proj".
  Status add_experts(const ModuleRule& rule, const std::string& hf, const std::string& hf_too,
                     const std::string& gguf) {
    const std::int64_t rows = size_of(rule.rows);
    const std::int64_t columns = size_of(rule.columns);
    for (const std::string& pattern : {hf, hf_too}) {
      if (pattern.empty()) continue;
      const std::string base = pattern.substr(0, pattern.find(".#"));
      const bool down = rule.gguf.starts_with("ffn_down");
      const std::string stack = base + (down ? ".down_proj" : ".gate_up_proj");
      if (raw_.find(stack) != nullptr) {
        const std::int64_t first = rule.gguf.starts_with("ffn_up") ? rows : 0;
        return add_stack(stack, gguf, down ? rows : 2 * rows, first, rows, columns);
      }
    }
    const bool other = !hf_too.empty() && !is_there(with_number(hf, 0));
    for (std::int32_t expert = 0; expert < model_.experts; ++expert) {
      const std::string first = with_number(hf, expert);
      const std::string second = other ? with_number(hf_too, expert) : "";
      HANGAR_CHECK_OK(add_matrix(other && is_there(second) ? second : first,
                                 with_number(gguf, expert), rows, columns));
    }
    return {};
  }

  Status add_stack(const std::string& hf, const std::string& gguf, std::int64_t stacked_rows,
                   std::int64_t first_row, std::int64_t rows, std::int64_t columns) {
    HANGAR_TRY(const RawTensor* tensor, require(hf));
    HANGAR_CHECK_OK(check_shape(hf, tensor->shape, {model_.experts, stacked_rows, columns}));
    HANGAR_TRY(const DType type, check_type(*tensor));
    const TensorView all{.name = hf, .dtype = type, .shape = tensor->shape, .data = tensor->data};
    for (std::int32_t expert = 0; expert < model_.experts; ++expert) {
      TensorView part = slice_rows(all, expert * stacked_rows + first_row, rows);
      part.name = with_number(gguf, expert) + ".weight";
      list(std::move(part));
    }
    return {};
  }

  void log_unused() const {
    std::vector<std::string> names;
    std::size_t count = 0;
    for (std::size_t i = 0; i < used_.size(); ++i) {
      const std::string& name = raw_.all()[i].name;
      if (used_[i] || is_superfluous(name)) continue;
      const std::size_t dot = name.rfind('.');
      if (dot != std::string::npos && packed_.contains(name.substr(0, dot))) continue;
      if (++count <= 5) names.push_back(gguf::printable(name, 100));
    }
    if (count == 0) return;
    spdlog::info("{}: {} tensors are not used by {}: {}{}", file_, count, config_.type->class_name,
                 fmt::join(names, ", "), count > names.size() ? ", ..." : "");
  }

  const FolderConfig& config_;
  const ModelConfig& model_;
  const RawTensors& raw_;
  const LinearFormat* format_;
  std::string file_;
  std::vector<bool> used_;
  std::unordered_set<std::string> packed_;
  MappedModel out_;
};

}  // namespace

Result<MappedModel> map_tensors(const FolderConfig& config, const RawTensors& raw,
                                const LinearFormat* format, std::string_view file) {
  return Mapper(config, raw, format, file).map();
}

}  // namespace hangar::hf
