// Tokenizer model "bert": WordPiece.
#include <algorithm>
#include <string>

#include "formats/gguf/vocabulary_fields.h"
#include "formats/gguf/vocabulary_kinds.h"

namespace hangar::gguf {
namespace {

constexpr std::string_view kMark = "\u2581";
constexpr std::string_view kInside = "##";

// The converter marks the pieces that begin a word instead of those inside one. A lone mark can
// only be the piece "##\u2581".
void unmark(TokenizerSpec& spec) {
  TextList unmarked;
  for (std::size_t id = 0; id < spec.tokens.size(); ++id) {
    const std::string_view text = spec.tokens[id];
    if (id < spec.kinds.size() && spec.kinds[id] == TokenKind::kControl) {
      unmarked.push_back(text);
    } else if (text.starts_with(kMark) && text.size() > kMark.size()) {
      unmarked.push_back(text.substr(kMark.size()));
    } else {
      unmarked.push_back(std::string(kInside).append(text));
    }
  }
  spec.tokens = std::move(unmarked);
}

// The file does not say whether the model lower-cases; a vocabulary without any word in capitals
// does. Names in brackets, [UNK] and the like, are no words.
bool is_cased(const TokenizerSpec& spec) {
  return std::any_of(spec.tokens.begin(), spec.tokens.end(), [](std::string_view text) {
    return !text.starts_with('[') && !text.starts_with('<') &&
           std::any_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  });
}

Result<TokenId> id_or(const Metadata& metadata, std::string_view name, std::string_view other_name,
                      TokenId otherwise, std::size_t tokens) {
  HANGAR_TRY(const std::optional<TokenId> id, token_id(metadata, name, tokens));
  HANGAR_TRY(const std::optional<TokenId> other, token_id(metadata, other_name, tokens));
  const TokenId found = id.value_or(other.value_or(otherwise));
  if (static_cast<std::size_t>(found) < tokens) return found;
  return make_error(ErrorCode::kCorrupt, "{}: metadata '{}' is missing, a token id expected",
                    metadata.file(), tokenizer_key(name));
}

void set_surroundings(TokenId cls, TokenId sep, TokenizerSpec& spec) {
  using Kind = TemplatePiece::Kind;
  const auto token = [](TokenId id, std::int32_t type_id) -> TemplatePiece {
    return {.kind = Kind::kToken, .token = id, .type_id = type_id};
  };
  spec.single = {token(cls, 0), {.kind = Kind::kSequenceA}, token(sep, 0)};
  spec.pair = spec.single;
  spec.pair.push_back({.kind = Kind::kSequenceB, .type_id = 1});
  spec.pair.push_back(token(sep, 1));
}

}  // namespace

Status read_word_piece(const Metadata& metadata, TokenizerSpec& spec) {
  spec.model = TokenizerModel::kWordPiece;
  HANGAR_CHECK_OK(read_tokens(metadata, spec));
  HANGAR_CHECK_OK(read_special_ids(metadata, spec));
  const std::size_t tokens = spec.tokens.size();
  HANGAR_TRY(const TokenId cls, id_or(metadata, "cls_token_id", "bos_token_id", 101, tokens));
  // The first is how llama.cpp spells it.
  HANGAR_TRY(const TokenId sep,
             id_or(metadata, "seperator_token_id", "separator_token_id", 102, tokens));
  if (!spec.unknown && tokens > 100) spec.unknown = 100;
  unmark(spec);
  const bool cased = is_cased(spec);
  spec.subword_prefix = kInside;
  spec.normalizers.push_back({.kind = NormalizerKind::kBert, .lowercase = !cased});
  spec.pre_tokenizers.push_back({.kind = PreTokenizerKind::kBert});
  spec.decoders.push_back({.kind = DecoderKind::kWordPiece, .content = std::string(kInside)});
  set_surroundings(cls, sep, spec);
  add_tokens_of_kinds(spec);
  return {};
}

}  // namespace hangar::gguf
