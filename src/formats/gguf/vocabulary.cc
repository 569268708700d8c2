#include "formats/gguf/vocabulary.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "formats/gguf/vocabulary_fields.h"
#include "formats/gguf/vocabulary_kinds.h"

namespace hangar::gguf {
namespace {

constexpr std::string_view kTemplateKey = "tokenizer.chat_template";
constexpr std::string_view kTemplatesKey = "tokenizer.chat_templates";

struct Kind {
  std::string_view name;
  Status (*read)(const Metadata& metadata, TokenizerSpec& spec);
};

constexpr std::array kKinds = {
    Kind{"gpt2", read_byte_level_bpe}, Kind{"llama", read_sentencepiece_bpe},
    Kind{"gemma4", read_gemma4_bpe},   Kind{"t5", read_unigram},
    Kind{"bert", read_word_piece},
};

std::string known_kinds() {
  std::string list;
  for (const Kind& kind : kKinds) {
    if (!list.empty()) list += ", ";
    list += kind.name;
  }
  return list;
}

}  // namespace

Result<TokenizerSpec> read_tokenizer(const Metadata& metadata) {
  const std::string key = tokenizer_key("model");
  HANGAR_TRY(const std::optional<std::string_view> model, metadata.text(key));
  if (!model) {
    return make_error(ErrorCode::kCorrupt, "{}: metadata '{}' is missing, a name expected",
                      metadata.file(), key);
  }
  const auto* kind = std::find_if(kKinds.begin(), kKinds.end(),
                                  [&](const Kind& known) { return known.name == *model; });
  if (kind == kKinds.end()) {
    return make_error(ErrorCode::kUnsupported,
                      "{}: metadata '{}': tokenizer model '{}' is not supported; supported: {}",
                      metadata.file(), key, printable(*model, 100), known_kinds());
  }
  TokenizerSpec spec;
  spec.model_name = *model;
  HANGAR_CHECK_OK(kind->read(metadata, spec));
  return spec;
}

Result<std::vector<ChatTemplateSource>> read_chat_templates(const Metadata& metadata) {
  std::vector<ChatTemplateSource> templates;
  HANGAR_TRY(const std::optional<std::string_view> main, metadata.text(kTemplateKey));
  if (main) templates.push_back({"default", std::string(*main)});
  const std::string named_prefix = fmt::format("{}.", kTemplateKey);
  for (const auto& [key, value] : metadata.entries()) {
    if (!key.starts_with(named_prefix)) continue;
    HANGAR_TRY(const std::optional<std::string_view> text, metadata.text(key));
    const std::string_view name = key.substr(named_prefix.size());
    if (!(main && name == "default")) templates.push_back({std::string(name), std::string(*text)});
  }
  HANGAR_TRY(const Array* names, metadata.array(kTemplatesKey, ValueType::kString));
  if (names == nullptr) return templates;
  for (const std::string_view name : names->strings) {
    const bool there = std::any_of(templates.begin(), templates.end(),
                                   [&](const ChatTemplateSource& t) { return t.name == name; });
    if (!there) {
      return make_error(ErrorCode::kCorrupt,
                        "{}: metadata '{}': names '{}', but there is no '{}{}'", metadata.file(),
                        kTemplatesKey, printable(name, 100), named_prefix, printable(name, 100));
    }
  }
  return templates;
}

}  // namespace hangar::gguf
