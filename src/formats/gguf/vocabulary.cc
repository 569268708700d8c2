#include "formats/gguf/vocabulary.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>

namespace hangar::gguf {
namespace {

constexpr std::string_view kPrefix = "tokenizer.ggml.";
constexpr std::string_view kTemplateKey = "tokenizer.chat_template";
constexpr std::string_view kTemplatesKey = "tokenizer.chat_templates";

// Files without add_bos_token: these pre-tokenizers' models were trained with it.
constexpr std::array<std::string_view, 9> kBosByDefault = {"llama3",  "llama-v3",  "llama-bpe",
                                                           "falcon3", "falcon-h1", "pixtral",
                                                           "lfm2",    "tekken",    "chameleon"};

std::string full_key(std::string_view name) {
  return fmt::format("{}{}", kPrefix, name);
}

Result<std::vector<std::string>> strings(const Metadata& metadata, std::string_view name) {
  const std::string key = full_key(name);
  HANGAR_TRY(const Array* array, metadata.array(key, ValueType::kString));
  if (array == nullptr || array->count == 0) {
    return make_error(ErrorCode::kCorrupt,
                      "{}: metadata '{}' is missing or empty, strings expected", metadata.file(),
                      key);
  }
  return std::vector<std::string>(array->strings.begin(), array->strings.end());
}

Result<std::vector<TokenKind>> token_kinds(const Metadata& metadata, std::size_t tokens) {
  const std::string key = full_key("token_type");
  HANGAR_TRY(const Array* array, metadata.array(key, ValueType::kInt32));
  std::vector<TokenKind> kinds;
  if (array == nullptr) return kinds;
  if (array->count != tokens) {
    return make_error(ErrorCode::kCorrupt,
                      "{}: metadata '{}': {} elements found, {} expected (one a token)",
                      metadata.file(), key, array->count, tokens);
  }
  // In the order of the file's numbers, from 0 ("undefined").
  constexpr std::array kKinds = {TokenKind::kNormal,  TokenKind::kNormal,      TokenKind::kUnknown,
                                 TokenKind::kControl, TokenKind::kUserDefined, TokenKind::kUnused,
                                 TokenKind::kByte};
  kinds.reserve(tokens);
  for (std::uint64_t i = 0; i < array->count; ++i) {
    const auto kind = std::get<std::int64_t>(scalar_at(*array, i).data);
    if (kind < 0 || kind >= static_cast<std::int64_t>(kKinds.size())) {
      return make_error(ErrorCode::kCorrupt,
                        "{}: metadata '{}': {} found for token {}, 0 to {} "
                        "expected",
                        metadata.file(), key, kind, i, kKinds.size() - 1);
    }
    kinds.push_back(kKinds[static_cast<std::size_t>(kind)]);
  }
  return kinds;
}

Result<std::optional<TokenId>> token_id(const Metadata& metadata, std::string_view name,
                                        std::size_t tokens) {
  const std::string key = full_key(name);
  constexpr std::int64_t kNone = std::numeric_limits<std::uint32_t>::max();
  HANGAR_TRY(const std::optional<std::int64_t> id, metadata.integer(key, -1, kNone));
  if (!id || *id == -1 || *id == kNone) return std::nullopt;  // -1: "none" in some files
  if (*id >= static_cast<std::int64_t>(tokens)) {
    return make_error(ErrorCode::kCorrupt,
                      "{}: metadata '{}': {} found, less than the {} tokens "
                      "expected",
                      metadata.file(), key, *id, tokens);
  }
  return static_cast<TokenId>(*id);
}

Status read_special(const Metadata& metadata, TokenizerSpec& spec) {
  const std::size_t tokens = spec.tokens.size();
  HANGAR_TRY(spec.bos, token_id(metadata, "bos_token_id", tokens));
  HANGAR_TRY(spec.eos, token_id(metadata, "eos_token_id", tokens));
  HANGAR_TRY(spec.unknown, token_id(metadata, "unknown_token_id", tokens));
  HANGAR_TRY(spec.padding, token_id(metadata, "padding_token_id", tokens));
  for (const std::string_view name : {"eot_token_id", "eom_token_id"}) {
    HANGAR_TRY(const std::optional<TokenId> id, token_id(metadata, name, tokens));
    if (id) spec.end_of_generation.push_back(*id);
  }
  HANGAR_TRY(const std::optional<bool> add_bos, metadata.boolean(full_key("add_bos_token")));
  HANGAR_TRY(const std::optional<bool> add_eos, metadata.boolean(full_key("add_eos_token")));
  spec.add_bos = add_bos.value_or(std::find(kBosByDefault.begin(), kBosByDefault.end(),
                                            spec.pre_tokenizer) != kBosByDefault.end());
  spec.add_eos = add_eos.value_or(false);
  if ((spec.add_bos && !spec.bos) || (spec.add_eos && !spec.eos)) {
    return make_error(ErrorCode::kCorrupt, "{}: metadata '{}': is true, but '{}' is missing",
                      metadata.file(),
                      full_key(spec.add_bos && !spec.bos ? "add_bos_token" : "add_eos_token"),
                      full_key(spec.add_bos && !spec.bos ? "bos_token_id" : "eos_token_id"));
  }
  return {};
}

}  // namespace

Result<TokenizerSpec> read_tokenizer(const Metadata& metadata) {
  const std::string model_key = full_key("model");
  HANGAR_TRY(const std::optional<std::string_view> model, metadata.text(model_key));
  if (!model) {
    return make_error(ErrorCode::kCorrupt, "{}: metadata '{}' is missing, a name expected",
                      metadata.file(), model_key);
  }
  if (*model != "gpt2") {
    return make_error(ErrorCode::kUnsupported,
                      "{}: metadata '{}': tokenizer model '{}' is not supported; supported: gpt2 "
                      "(byte-level BPE)",
                      metadata.file(), model_key, printable(*model, 100));
  }
  TokenizerSpec spec;
  spec.model = TokenizerModel::kByteLevelBpe;
  spec.model_name = *model;
  HANGAR_TRY(const std::optional<std::string_view> pre, metadata.text(full_key("pre")));
  spec.pre_tokenizer = pre.value_or("default");  // as files from before the key are understood
  HANGAR_TRY(spec.tokens, strings(metadata, "tokens"));
  if (spec.tokens.size() > static_cast<std::size_t>(std::numeric_limits<TokenId>::max())) {
    return make_error(ErrorCode::kCorrupt,
                      "{}: metadata '{}': {} tokens found, at most {} expected", metadata.file(),
                      full_key("tokens"), spec.tokens.size(), std::numeric_limits<TokenId>::max());
  }
  HANGAR_TRY(spec.kinds, token_kinds(metadata, spec.tokens.size()));
  HANGAR_TRY(spec.merges, strings(metadata, "merges"));
  HANGAR_CHECK_OK(read_special(metadata, spec));
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
