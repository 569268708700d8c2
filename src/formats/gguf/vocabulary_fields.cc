#include "formats/gguf/vocabulary_fields.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "text/added_tokens.h"

namespace hangar::gguf {
namespace {

constexpr std::string_view kPrefix = "tokenizer.ggml.";

// An array of strings, not empty and not longer than a TextList or a MergeList takes.
Result<const Array*> texts(const Metadata& metadata, std::string_view name) {
  const std::string key = tokenizer_key(name);
  HANGAR_TRY(const Array* array, metadata.array(key, ValueType::kString));
  if (array == nullptr || array->count == 0) {
    return make_error(ErrorCode::kCorrupt,
                      "{}: metadata '{}' is missing or empty, strings expected", metadata.file(),
                      key);
  }
  if (array->strings.text_bytes() >= TextList::kMaxBytes) {
    return make_error(ErrorCode::kUnsupported,
                      "{}: metadata '{}': {} bytes of text found, less than {} are supported",
                      metadata.file(), key, array->strings.text_bytes(), TextList::kMaxBytes);
  }
  return array;
}

}  // namespace

std::string tokenizer_key(std::string_view name) {
  return fmt::format("{}{}", kPrefix, name);
}

Result<TextList> token_texts(const Metadata& metadata) {
  HANGAR_TRY(const Array* array, texts(metadata, "tokens"));
  TextList list;
  list.reserve(array->count, array->strings.text_bytes());
  const char* const end = array->strings.readable_end();
  for (const std::string_view text : array->strings) list.push_back(text, end);
  return list;
}

Result<std::vector<TokenKind>> token_kinds(const Metadata& metadata, std::size_t tokens) {
  const std::string key = tokenizer_key("token_type");
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
  const std::string key = tokenizer_key(name);
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

Result<MergeList> token_merges(const Metadata& metadata) {
  HANGAR_TRY(const Array* array, texts(metadata, "merges"));
  MergeList merges;
  merges.reserve(array->count, array->strings.text_bytes());
  const char* const end = array->strings.readable_end();
  for (const std::string_view pair : array->strings) {
    // A token may begin with a space, none is empty.
    const std::size_t space = pair.find(' ', 1);
    if (space == std::string_view::npos || space + 1 == pair.size()) {
      return make_error(ErrorCode::kCorrupt, "{}: metadata '{}': merge {}, '{}', is not a pair",
                        metadata.file(), tokenizer_key("merges"), merges.size(),
                        printable(pair, 100));
    }
    merges.add(pair.substr(0, space), end, pair.substr(space + 1), end);
  }
  return merges;
}

Result<std::vector<double>> token_scores(const Metadata& metadata, std::size_t tokens) {
  const std::string key = tokenizer_key("scores");
  HANGAR_TRY(const Array* array, metadata.array(key, ValueType::kFloat32));
  if (array == nullptr || array->count != tokens) {
    return make_error(ErrorCode::kCorrupt,
                      "{}: metadata '{}': {} elements found, {} expected (one a token)",
                      metadata.file(), key, array == nullptr ? 0 : array->count, tokens);
  }
  std::vector<double> scores(tokens);
  for (std::size_t i = 0; i < tokens; ++i) {
    float score = 0;
    std::memcpy(&score, array->scalars.data() + i * sizeof(score), sizeof(score));
    scores[i] = static_cast<double>(score);
  }
  const auto odd =
      std::find_if(scores.begin(), scores.end(), [](double score) { return std::isnan(score); });
  if (odd != scores.end()) {
    return make_error(ErrorCode::kCorrupt, "{}: metadata '{}': the score of token {} is no number",
                      metadata.file(), key, odd - scores.begin());
  }
  return scores;
}

Status read_tokens(const Metadata& metadata, TokenizerSpec& spec) {
  HANGAR_TRY(spec.tokens, token_texts(metadata));
  if (spec.tokens.size() > static_cast<std::size_t>(std::numeric_limits<TokenId>::max())) {
    return make_error(ErrorCode::kCorrupt,
                      "{}: metadata '{}': {} tokens found, at most {} expected", metadata.file(),
                      tokenizer_key("tokens"), spec.tokens.size(),
                      std::numeric_limits<TokenId>::max());
  }
  HANGAR_TRY(spec.kinds, token_kinds(metadata, spec.tokens.size()));
  return {};
}

Status read_special_ids(const Metadata& metadata, TokenizerSpec& spec) {
  const std::size_t tokens = spec.tokens.size();
  HANGAR_TRY(spec.bos, token_id(metadata, "bos_token_id", tokens));
  HANGAR_TRY(spec.eos, token_id(metadata, "eos_token_id", tokens));
  HANGAR_TRY(spec.unknown, token_id(metadata, "unknown_token_id", tokens));
  HANGAR_TRY(spec.padding, token_id(metadata, "padding_token_id", tokens));
  for (const std::string_view name : {"eot_token_id", "eom_token_id"}) {
    HANGAR_TRY(const std::optional<TokenId> id, token_id(metadata, name, tokens));
    if (id) spec.end_of_generation.push_back(*id);
  }
  return {};
}

Result<AroundText> read_around_text(const Metadata& metadata, AroundText otherwise,
                                    const TokenizerSpec& spec) {
  HANGAR_TRY(const std::optional<bool> bos, metadata.boolean(tokenizer_key("add_bos_token")));
  HANGAR_TRY(const std::optional<bool> eos, metadata.boolean(tokenizer_key("add_eos_token")));
  const AroundText around{.bos = bos.value_or(otherwise.bos), .eos = eos.value_or(otherwise.eos)};
  const bool no_bos = around.bos && !spec.bos;
  if (no_bos || (around.eos && !spec.eos)) {
    return make_error(ErrorCode::kCorrupt, "{}: metadata '{}': is true, but '{}' is missing",
                      metadata.file(), tokenizer_key(no_bos ? "add_bos_token" : "add_eos_token"),
                      tokenizer_key(no_bos ? "bos_token_id" : "eos_token_id"));
  }
  return around;
}

void add_tokens_of_kinds(TokenizerSpec& spec) {
  spec.added = added_tokens_of_kinds(spec);
  if (!spec.unknown) return;
  const auto unknown = static_cast<std::size_t>(*spec.unknown);
  if (unknown >= spec.kinds.size() || spec.kinds[unknown] != TokenKind::kUnknown) return;
  if (spec.tokens[unknown].empty()) return;
  spec.added.push_back(
      {.id = *spec.unknown, .content = std::string(spec.tokens[unknown]), .special = true});
}

}  // namespace hangar::gguf
