#include "formats/hf/dummy_tensors.h"

#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "formats/hf/module_sizes.h"

namespace hangar::hf {
namespace {

// Of all layers: no file bounds what is listed.
constexpr std::int64_t kMostExperts = 1 << 18;

class Lister {
 public:
  Lister(const FolderConfig& config, DType matrices)
      : config_(config), model_(config.model), matrices_(matrices) {}

  MappedModel list() {
    add_matrix("token_embd", model_.vocabulary, model_.hidden);
    for (std::int32_t layer = 0; layer < model_.layers; ++layer) {
      for (const ModuleRule& rule : config_.type->modules) {
        if (layer_has_module(rule, model_, layer)) add_module(rule, layer);
      }
    }
    add_vector("output_norm.weight", model_.hidden);
    if (!model_.tied_embeddings) add_matrix("output", model_.vocabulary, model_.hidden);
    return std::move(out_);
  }

 private:
  void add_module(const ModuleRule& rule, std::int32_t layer) {
    const std::string name = fmt::format("blk.{}.{}", layer, rule.gguf);
    const std::int64_t rows = module_size(rule.rows, model_);
    const std::int64_t columns = module_size(rule.columns, model_);
    if (rule.vector) {
      add_vector(name + ".weight", rows);
    } else if (name.find('#') != std::string::npos) {
      for (std::int32_t expert = 0; expert < model_.experts; ++expert) {
        add_matrix(with_number(name, expert), rows, columns);
      }
    } else {
      add_matrix(name, rows, columns);
      if (module_has_bias(rule.bias, config_)) add_vector(name + ".bias", rows);
    }
  }

  void add_matrix(const std::string& name, std::int64_t rows, std::int64_t columns) {
    add({.name = name + ".weight", .dtype = matrices_, .shape = {rows, columns}});
  }
  void add_vector(std::string name, std::int64_t length) {
    add({.name = std::move(name), .dtype = DType::kF32, .shape = {length}});
  }
  void add(TensorView view) {
    out_.tensors.push_back(std::move(view));
    out_.modules.emplace_back();
  }

  const FolderConfig& config_;
  const ModelConfig& model_;
  DType matrices_;
  MappedModel out_;
};

Result<std::optional<std::string_view>> type_name(const Fields& fields) {
  HANGAR_TRY(const std::optional<std::string_view> newer, fields.text("dtype"));
  if (newer) return newer;
  return fields.text("torch_dtype");
}

}  // namespace

Result<MappedModel> list_dummy_tensors(const FolderConfig& config, DType matrices,
                                       std::string_view file) {
  const std::int64_t experts = std::int64_t{config.model.layers} * config.model.experts;
  if (experts > kMostExperts) {
    return make_error(ErrorCode::kUnsupported,
                      "{}: {} layers of {} experts; at most {} are made up in all", file,
                      config.model.layers, config.model.experts, kMostExperts);
  }
  return Lister(config, matrices).list();
}

Result<DType> read_weight_type(const Fields& config) {
  HANGAR_TRY(std::optional<std::string_view> name, type_name(config));
  // A multimodal model may say it of its text half.
  HANGAR_TRY(const std::optional<Fields> text, config.fields("text_config"));
  if (!name && text) {
    HANGAR_TRY(name, type_name(*text));
  }
  if (!name || *name == "bfloat16" || *name == "auto") return DType::kBF16;
  if (*name == "float16") return DType::kF16;
  if (*name == "float32") return DType::kF32;
  return config.unsupported(config.has("dtype") ? "dtype" : "torch_dtype",
                            "bfloat16, float16 and float32");
}

}  // namespace hangar::hf
