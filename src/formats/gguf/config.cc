#include "formats/gguf/config.h"

#include <algorithm>
#include <string>

#include "formats/gguf/architecture_facts.h"
#include "formats/gguf/rope.h"
#include "formats/gguf/special_config.h"

namespace hangar::gguf {
namespace {

constexpr std::int64_t kMaxLayers = 4096;
constexpr std::int64_t kMaxHidden = 1 << 20;
constexpr std::int64_t kMaxFeedForward = 1 << 24;
constexpr std::int64_t kMaxHeads = 1 << 16;
constexpr std::int64_t kMaxHeadDim = 1 << 16;
constexpr std::int64_t kMaxHeadElements = 1 << 22;  // heads * head_dim
constexpr std::int64_t kMaxVocabulary = 1 << 24;
constexpr std::int64_t kMaxContext = 1 << 30;

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.';
}

class Reader {
 public:
  Reader(const Metadata& metadata, const TensorIndex& tensors, std::string_view architecture)
      : metadata_(metadata), tensors_(tensors), prefix_(fmt::format("{}.", architecture)) {}

  Result<ModelConfig> read();

 private:
  std::string key(std::string_view name) const { return prefix_ + std::string(name); }
  std::string_view architecture() const {
    return std::string_view(prefix_).substr(0, prefix_.size() - 1);
  }
  tl::unexpected<Error> missing(std::string_view full_key) const;
  // A count, as one number or as an array with the same number for every layer.
  Result<std::optional<std::int32_t>> count(std::string_view name, std::int64_t high) const;
  Result<std::int32_t> required_count(std::string_view name, std::int64_t high) const;
  Status read_heads(ModelConfig& config) const;
  Status read_vocabulary(ModelConfig& config) const;
  Status read_epsilon(ModelConfig& config) const;
  const TensorView* tensor(std::string_view name) const {
    const auto it = tensors_.find(name);
    return it == tensors_.end() ? nullptr : it->second;
  }
  Status check_table(std::string_view name, std::int64_t rows, std::int64_t columns) const;

  const Metadata& metadata_;
  const TensorIndex& tensors_;
  std::string prefix_;
};

Result<std::optional<std::int32_t>> Reader::count(std::string_view name, std::int64_t high) const {
  const std::string full = key(name);
  const Value* value = metadata_.find(full);
  const Array* array = value == nullptr ? nullptr : std::get_if<Array>(&value->data);
  if (array == nullptr) {
    HANGAR_TRY(const std::optional<std::int64_t> number, metadata_.integer(full, 1, high));
    if (!number) return std::nullopt;
    return static_cast<std::int32_t>(*number);
  }
  const bool integers = array->element == ValueType::kInt32 || array->element == ValueType::kUint32;
  std::optional<std::int64_t> same;
  for (std::uint64_t i = 0; integers && i < array->count; ++i) {
    const Value element = scalar_at(*array, i);
    const std::int64_t number =
        array->element == ValueType::kInt32
            ? std::get<std::int64_t>(element.data)
            : static_cast<std::int64_t>(std::get<std::uint64_t>(element.data));
    if (same && *same != number) {
      return make_error(ErrorCode::kUnsupported,
                        "{}: metadata '{}': differs from layer to layer ({} and {}), which is not "
                        "supported",
                        metadata_.file(), full, *same, number);
    }
    same = number;
  }
  if (!same || *same < 1 || *same > high) {
    return make_error(ErrorCode::kCorrupt, "{}: metadata '{}': {} found, 1 to {} expected",
                      metadata_.file(), full, to_text(*value), high);
  }
  return static_cast<std::int32_t>(*same);
}

// An architecture that we know is broken without it; others may be built of other parts than
// ModelConfig can say.
tl::unexpected<Error> Reader::missing(std::string_view full_key) const {
  if (facts_of(architecture()) != nullptr) {
    return make_error(ErrorCode::kCorrupt, "{}: metadata '{}' is missing, a number expected",
                      metadata_.file(), full_key);
  }
  return make_error(ErrorCode::kUnsupported,
                    "{}: architecture '{}' is not supported (metadata '{}' is missing)",
                    metadata_.file(), architecture(), full_key);
}

Result<std::int32_t> Reader::required_count(std::string_view name, std::int64_t high) const {
  HANGAR_TRY(const std::optional<std::int32_t> value, count(name, high));
  if (!value) return missing(key(name));
  return *value;
}

Status Reader::read_heads(ModelConfig& config) const {
  HANGAR_TRY(config.heads, required_count("attention.head_count", kMaxHeads));
  HANGAR_TRY(const std::optional<std::int32_t> kv, count("attention.head_count_kv", kMaxHeads));
  config.kv_heads = kv.value_or(config.heads);
  if (config.heads % config.kv_heads != 0) {
    return make_error(
        ErrorCode::kCorrupt, "{}: metadata '{}': {} found, a divisor of the {} heads expected",
        metadata_.file(), key("attention.head_count_kv"), config.kv_heads, config.heads);
  }
  HANGAR_TRY(const std::optional<std::int32_t> length, count("attention.key_length", kMaxHeadDim));
  if (!length && config.hidden % config.heads != 0) {
    return make_error(ErrorCode::kCorrupt,
                      "{}: metadata '{}': {} found, a divisor of the embedding length {} expected",
                      metadata_.file(), key("attention.head_count"), config.heads, config.hidden);
  }
  config.head_dim = length.value_or(config.hidden / config.heads);
  HANGAR_TRY(const std::optional<std::int32_t> value_length,
             count("attention.value_length", kMaxHeadDim));
  if (value_length && *value_length != config.head_dim) {
    return make_error(ErrorCode::kUnsupported,
                      "{}: metadata '{}': {} found, but keys have {}; only equal lengths are "
                      "supported",
                      metadata_.file(), key("attention.value_length"), *value_length,
                      config.head_dim);
  }
  if (std::int64_t{config.heads} * config.head_dim > kMaxHeadElements) {
    return make_error(
        ErrorCode::kCorrupt,
        "{}: metadata '{}': {} heads of {} elements found, at most {} in all expected",
        metadata_.file(), key("attention.head_count"), config.heads, config.head_dim,
        kMaxHeadElements);
  }
  return {};
}

Status Reader::check_table(std::string_view name, std::int64_t rows, std::int64_t columns) const {
  const TensorView* table = tensor(name);
  if (table == nullptr) return {};
  if (table->shape.size() == 2 && table->shape[0] == rows && table->shape[1] == columns) return {};
  return make_error(
      ErrorCode::kCorrupt,
      "{}: tensor '{}': shape {{{}}} found, {{{}, {}}} (vocabulary, embedding length) "
      "expected",
      metadata_.file(), name, fmt::join(table->shape, ", "), rows, columns);
}

Status Reader::read_vocabulary(ModelConfig& config) const {
  HANGAR_TRY(const std::optional<std::int32_t> size, count("vocab_size", kMaxVocabulary));
  const TensorView* embeddings = tensor("token_embd.weight");
  if (embeddings == nullptr) {
    return make_error(ErrorCode::kCorrupt, "{}: tensor 'token_embd.weight' is missing",
                      metadata_.file());
  }
  const std::int64_t rows = size.value_or(0) != 0 ? *size : embeddings->rows();
  if (rows > kMaxVocabulary) {
    return make_error(ErrorCode::kCorrupt,
                      "{}: tensor 'token_embd.weight': {} rows found, at most {} expected",
                      metadata_.file(), rows, kMaxVocabulary);
  }
  config.vocabulary = static_cast<std::int32_t>(rows);
  HANGAR_CHECK_OK(check_table("token_embd.weight", rows, config.hidden));
  HANGAR_CHECK_OK(check_table("output.weight", rows, config.hidden));
  config.tied_embeddings = tensor("output.weight") == nullptr;
  HANGAR_TRY(const Array* tokens, metadata_.array("tokenizer.ggml.tokens", ValueType::kString));
  if (tokens != nullptr && tokens->count > static_cast<std::uint64_t>(rows)) {
    return make_error(ErrorCode::kCorrupt,
                      "{}: metadata 'tokenizer.ggml.tokens': {} tokens found, at most the {} rows "
                      "of 'token_embd.weight' expected",
                      metadata_.file(), tokens->count, rows);
  }
  return {};
}

Status Reader::read_epsilon(ModelConfig& config) const {
  const std::string rms = key("attention.layer_norm_rms_epsilon");
  const std::string layer = key("attention.layer_norm_epsilon");
  const std::string& name =
      metadata_.find(rms) == nullptr && metadata_.find(layer) != nullptr ? layer : rms;
  HANGAR_TRY(const std::optional<float> epsilon, metadata_.number(name, 0.0F, 1.0F));
  if (!epsilon) return missing(name);
  config.norm_epsilon = *epsilon;
  return {};
}

Result<ModelConfig> Reader::read() {
  ModelConfig config;
  config.architecture = architecture();
  HANGAR_TRY(const std::optional<std::string_view> name, metadata_.text("general.name"));
  HANGAR_TRY(const std::optional<std::string_view> license, metadata_.text("general.license"));
  config.name = name.value_or("");
  config.license = license.value_or("");
  HANGAR_TRY(config.layers, required_count("block_count", kMaxLayers));
  HANGAR_TRY(config.context_tokens, required_count("context_length", kMaxContext));
  HANGAR_TRY(config.hidden, required_count("embedding_length", kMaxHidden));
  HANGAR_TRY(config.feed_forward, required_count("feed_forward_length", kMaxFeedForward));
  HANGAR_CHECK_OK(read_heads(config));
  HANGAR_CHECK_OK(read_epsilon(config));
  HANGAR_CHECK_OK(read_vocabulary(config));
  // Other architectures may read the same keys in other ways; model/ refuses them by their name.
  const ArchitectureFacts* facts = facts_of(config.architecture);
  HANGAR_TRY(config.rope, read_rope(metadata_, tensors_, config.architecture, config.head_dim,
                                    config.context_tokens));
  config.rope.interleaved = facts != nullptr && facts->interleaved;
  if (facts != nullptr) HANGAR_CHECK_OK(read_special_config(metadata_, *facts, config));
  return config;
}

}  // namespace

Result<ModelConfig> read_config(const Metadata& metadata, const TensorIndex& tensors) {
  HANGAR_TRY(const std::optional<std::string_view> architecture,
             metadata.text("general.architecture"));
  if (!architecture || architecture->empty()) {
    return make_error(ErrorCode::kCorrupt,
                      "{}: metadata 'general.architecture' is missing, a name expected",
                      metadata.file());
  }
  const bool plain = architecture->size() <= 64 &&
                     std::all_of(architecture->begin(), architecture->end(), is_name_character);
  if (!plain) {
    return make_error(ErrorCode::kCorrupt,
                      "{}: metadata 'general.architecture': '{}' found, a name of letters, digits, "
                      "'-', '_' and '.' expected",
                      metadata.file(), printable(*architecture, 64));
  }
  if (tensors.empty()) {
    return make_error(ErrorCode::kUnsupported,
                      "{}: holds a vocabulary only (no tensors): it can tokenize, not generate",
                      metadata.file());
  }
  return Reader(metadata, tensors, *architecture).read();
}

}  // namespace hangar::gguf
