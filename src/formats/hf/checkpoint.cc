#include "formats/hf/checkpoint.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string_view>
#include <unordered_map>

#include "formats/gguf/cursor.h"
#include "formats/hf/config.h"
#include "formats/hf/dummy_tensors.h"
#include "formats/hf/generation_config.h"
#include "formats/hf/linear_format.h"
#include "formats/hf/strict_json.h"
#include "formats/hf/tensor_map.h"
#include "text/stand_in_tokenizer.h"

namespace hangar::hf {
namespace {

using Metadata = std::vector<std::pair<std::string, std::string>>;

// A table with more tokens than the model has embeddings: tokens added at its end that the model
// never learned (Gemma 3's for pictures) are left out; anything else does not fit together.
Status fit_vocabulary(TokenizerSpec& spec, std::int32_t vocabulary, const std::string& folder) {
  const auto limit = static_cast<std::size_t>(vocabulary);
  std::vector<std::uint8_t> added(spec.tokens.size());
  for (const AddedToken& token : spec.added) {
    const auto id = static_cast<std::size_t>(token.id);
    if (token.id >= 0 && id < added.size()) added[id] = 1;
  }
  for (std::size_t id = limit; id < spec.tokens.size(); ++id) {
    if (added[id] != 0 || spec.tokens[id].empty()) continue;
    return make_error(ErrorCode::kCorrupt,
                      "{}: the tokenizer has {} tokens, but config.json's 'vocab_size' is {}",
                      folder, spec.tokens.size(), vocabulary);
  }
  const auto too_high = [&](TokenId id) { return id >= vocabulary; };
  const std::size_t dropped =
      std::erase_if(spec.added, [&](const AddedToken& token) { return too_high(token.id); });
  if (spec.tokens.size() > limit) spec.tokens.resize(limit);
  if (spec.kinds.size() > limit) spec.kinds.resize(limit);
  if (spec.scores.size() > limit) spec.scores.resize(limit);
  std::erase_if(spec.end_of_generation, too_high);
  for (std::optional<TokenId>* id : {&spec.bos, &spec.eos, &spec.unknown, &spec.padding}) {
    if (*id && too_high(**id)) id->reset();
  }
  if (dropped > 0) {
    spdlog::info("{}: {} added tokens with ids from {} on have no embedding and are left out",
                 folder, dropped, vocabulary);
  }
  return {};
}

class HfCheckpoint final : public Checkpoint {
 public:
  explicit HfCheckpoint(ModelParts parts) : parts_(std::move(parts)), format_("safetensors") {}

  Status open() {
    if (parts_.tensors == nullptr && !parts_.random) {
      format_ = "Hugging Face tokenizer";
      return {};
    }
    const std::string file = parts_.folder + "/config.json";
    HANGAR_TRY(const boost::json::object config, parse_object(*parts_.config_json, file));
    HANGAR_TRY(FolderConfig read, read_folder_config(config, file));
    read.model.name = parts_.title;
    read.model.license = parts_.license;
    HANGAR_CHECK_OK(open_format(Fields(config, file)));
    if (parts_.random) {
      HANGAR_CHECK_OK(list_dummy(read, Fields(config, file)));
    } else {
      HANGAR_TRY(mapped_, map_tensors(read, *parts_.tensors, linear_.get(), parts_.folder));
    }
    config_ = std::move(read.model);
    index_.reserve(mapped_.tensors.size());
    for (const TensorView& view : mapped_.tensors) index_.emplace(view.name, &view);
    add_metadata("", config);
    HANGAR_CHECK_OK(open_generation(Fields(config, file)));
    for (const auto& [key, value] : parts_.tensor_metadata) {
      metadata_.emplace_back("safetensors." + gguf::printable(key, 100),
                             gguf::printable(value, 200));
    }
    return {};
  }

  std::string_view format() const override { return format_; }

  Result<ModelConfig> config() const override {
    if (config_) return *config_;
    return make_error(ErrorCode::kUnsupported,
                      "{}: holds a tokenizer only (no weights): it can tokenize, not generate",
                      parts_.folder);
  }

  Result<TokenizerSpec> tokenizer() const override {
    HANGAR_TRY(TokenizerSpec spec, read_tokenizer());
    for (const TokenId id : defaults_.end_of_generation) {
      std::vector<TokenId>& ends = spec.end_of_generation;
      if (std::find(ends.begin(), ends.end(), id) == ends.end()) ends.push_back(id);
    }
    if (config_) HANGAR_CHECK_OK(fit_vocabulary(spec, config_->vocabulary, parts_.folder));
    return spec;
  }

  std::vector<ChatTemplateSource> chat_templates() const override {
    if (stands_in() && parts_.templates.empty()) {
      return {{"default", std::string(kStandInTemplate)}};
    }
    return parts_.templates;
  }
  GenerationDefaults generation_defaults() const override { return defaults_; }
  const std::vector<TensorView>& tensors() const override { return mapped_.tensors; }

  const TensorView* find(std::string_view name) const override {
    const auto it = index_.find(name);
    return it == index_.end() ? nullptr : it->second;
  }

  Result<TensorView> read(const TensorView& tensor) const override {
    const TensorView* listed = find(tensor.name);
    if (listed == nullptr) {
      return make_error(ErrorCode::kInternal, "{}: tensor '{}' is not one of this checkpoint's",
                        parts_.folder, tensor.name);
    }
    const std::string& module =
        mapped_.modules[static_cast<std::size_t>(listed - mapped_.tensors.data())];
    if (module.empty()) return aligned(tensor);
    HANGAR_TRY(TensorView view, linear_->read(*parts_.tensors, module));
    view.name = tensor.name;
    return view;
  }

  Metadata metadata() const override { return metadata_; }
  std::vector<std::filesystem::path> files() const override { return parts_.files; }
  std::uint64_t file_bytes() const override { return parts_.file_bytes; }
  std::optional<RandomWeights> random_weights() const override { return parts_.random; }
  void release(std::optional<std::span<const std::byte>> part) const override {
    if (parts_.tensors) parts_.tensors->release(part);
  }

 private:
  Status open_format(const Fields& config) {
    std::optional<Fields> quantization;
    for (const std::string_view key : {"quantization_config", "compression_config"}) {
      if (quantization) break;
      HANGAR_TRY(quantization, config.fields(key));
    }
    // A multimodal model may keep it with its text half.
    if (!quantization) {
      HANGAR_TRY(const std::optional<Fields> text, config.fields("text_config"));
      if (text) {
        HANGAR_TRY(quantization, text->fields("quantization_config"));
      }
    }
    if (quantization) return use_format(quantization->object(), config.file());
    if (!parts_.quantization_json) return {};
    const std::string file = parts_.folder + "/" + parts_.quantization_file;
    HANGAR_TRY(const boost::json::object object, parse_object(*parts_.quantization_json, file));
    return use_format(object, file);
  }

  Status use_format(const boost::json::object& quantization, const std::string& file) {
    Result<std::unique_ptr<const LinearFormat>> format = make_linear_format(quantization);
    if (!format) return with_context(std::move(format.error()), file);
    linear_ = std::move(*format);
    format_ += ", " + linear_->description();
    return {};
  }

  Status list_dummy(const FolderConfig& read, const Fields& config) {
    if (linear_) {
      return make_error(ErrorCode::kUnsupported,
                        "{}: weights in this form are not made up: {}; without its "
                        "'quantization_config' they are of its 'torch_dtype'",
                        config.file(), linear_->description());
    }
    HANGAR_TRY(const DType type, read_weight_type(config));
    HANGAR_TRY(mapped_, list_dummy_tensors(read, type, parts_.folder));
    parts_.file_bytes = 0;
    for (const TensorView& view : mapped_.tensors) {
      const std::uint64_t bytes =
          static_cast<std::uint64_t>(view.rows()) * row_bytes(view.dtype, view.columns());
      if (__builtin_add_overflow(parts_.file_bytes, bytes, &parts_.file_bytes)) {
        parts_.file_bytes = std::numeric_limits<std::uint64_t>::max();
        break;
      }
    }
    format_ =
        fmt::format("config.json, weights made up ({})", random_weights_name(parts_.random->kind));
    return {};
  }

  // For a tokenizer that is not there.
  bool stands_in() const { return parts_.random && !parts_.read_tokenizer; }

  Result<TokenizerSpec> read_tokenizer() const {
    if (!stands_in()) return parts_.read_tokenizer();
    spdlog::warn("{}: no tokenizer here: a stand-in of {} tokens takes its place", parts_.folder,
                 config_->vocabulary);
    return make_stand_in_tokenizer(config_->vocabulary);
  }

  // generation_config.json; without one, config.json's end of sequence, as transformers does.
  Status open_generation(const Fields& config) {
    if (!parts_.generation_config_json) {
      HANGAR_TRY(defaults_.end_of_generation, read_end_ids(config, config_->vocabulary));
      return {};
    }
    const std::string file = parts_.folder + "/generation_config.json";
    HANGAR_TRY(const boost::json::object object,
               parse_object(*parts_.generation_config_json, file));
    HANGAR_TRY(defaults_, read_generation_config(Fields(object, file), config_->vocabulary));
    if (!object.contains("eos_token_id")) {
      HANGAR_TRY(defaults_.end_of_generation, read_end_ids(config, config_->vocabulary));
    }
    add_metadata("generation.", object);
    return {};
  }

  // Objects one level deep become keys of their own: "rope_scaling.factor".
  void add_metadata(const std::string& prefix, const boost::json::object& object) {
    for (const auto& member : object) {
      const std::string key = prefix + gguf::printable(member.key(), 100);
      const boost::json::object* inner = member.value().if_object();
      if (inner == nullptr || inner->empty()) {
        metadata_.emplace_back(key, brief(member.value()));
        continue;
      }
      for (const auto& part : *inner) {
        metadata_.emplace_back(fmt::format("{}.{}", key, gguf::printable(part.key(), 100)),
                               brief(part.value()));
      }
    }
  }

  // Files written without padding have numbers at odd places, which kernels cannot read in place.
  static TensorView aligned(const TensorView& tensor) {
    const std::size_t element_bytes = dtype_info(tensor.dtype).block_bytes;
    if (reinterpret_cast<std::uintptr_t>(tensor.data.data()) % element_bytes == 0) return tensor;
    auto copy = std::make_shared<std::vector<std::byte>>(tensor.data.begin(), tensor.data.end());
    TensorView view = tensor;
    view.data = *copy;
    view.owner = std::move(copy);
    return view;
  }

  ModelParts parts_;
  std::string format_;
  std::unique_ptr<const LinearFormat> linear_;  // nullptr: plain weights
  std::optional<ModelConfig> config_;
  MappedModel mapped_;
  std::unordered_map<std::string_view, const TensorView*> index_;
  GenerationDefaults defaults_;
  Metadata metadata_;
};

}  // namespace

Result<std::unique_ptr<Checkpoint>> make_checkpoint(ModelParts parts) {
  auto checkpoint = std::make_unique<HfCheckpoint>(std::move(parts));
  HANGAR_CHECK_OK(checkpoint->open());
  return checkpoint;
}

}  // namespace hangar::hf
