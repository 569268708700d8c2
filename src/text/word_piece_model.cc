// make_word_piece_model: the longest token first, then the longest that goes on, and so to the end.
//
// Source: Schuster and Nakajima, "Japanese and Korean voice search" (2012); BERT's way of it.
#include <algorithm>
#include <memory>
#include <utility>

#include "text/token_model.h"
#include "text/token_trie.h"

namespace hangar {
namespace {

class WordPieceModel final : public TokenModel {
 public:
  WordPieceModel(const TokenizerSpec& spec, TokenTrie trie)
      : trie_(std::move(trie)),
        inside_(trie_.walk(trie_.root(), spec.subword_prefix)),
        unknown_(*spec.unknown),
        max_characters_(static_cast<std::size_t>(std::max(spec.max_word_characters, 0))) {}

  std::unique_ptr<Scratch> make_scratch() const override { return std::make_unique<Scratch>(); }

  void encode(std::string_view piece, Scratch& /*scratch*/,
              std::vector<TokenId>& ids) const override {
    const std::size_t before = ids.size();
    if (is_too_long(piece) || !append_longest(piece, ids)) {
      ids.resize(before);
      ids.push_back(unknown_);
    }
  }

 private:
  bool is_too_long(std::string_view piece) const {
    if (piece.size() <= max_characters_) return false;
    const auto characters = std::count_if(piece.begin(), piece.end(), [](char byte) {
      return (static_cast<std::uint8_t>(byte) & 0xC0U) != 0x80U;
    });
    return static_cast<std::size_t>(characters) > max_characters_;
  }

  // False: some part of the piece is in no token.
  bool append_longest(std::string_view piece, std::vector<TokenId>& ids) const {
    for (std::size_t start = 0; start < piece.size();) {
      TokenTrie::Node node = start == 0 ? trie_.root() : inside_;
      TokenId longest = -1;
      std::size_t end = start;
      for (std::size_t at = start; at < piece.size() && node != TokenTrie::kNone; ++at) {
        node = trie_.next(node, piece[at]);
        if (!trie_.is_token(node)) continue;
        longest = static_cast<TokenId>(node);
        end = at + 1;
      }
      if (longest < 0) return false;
      ids.push_back(longest);
      start = end;
    }
    return true;
  }

  TokenTrie trie_;
  TokenTrie::Node inside_;  // where tokens that go on inside a word begin; kNone: there are none
  TokenId unknown_;
  std::size_t max_characters_;
};

}  // namespace

Result<std::unique_ptr<const TokenModel>> make_word_piece_model(const Vocabulary& vocabulary) {
  const TokenizerSpec& spec = vocabulary.spec();
  if (!spec.unknown) {
    return make_error(
        ErrorCode::kCorrupt,
        "tokenizer: a WordPiece model needs an unknown token, and the file names none");
  }
  std::vector<TokenId> ids;
  for (TokenId id = 0; id < vocabulary.size(); ++id) {
    // Control tokens are never had from text that is not parsed for them.
    if (vocabulary.kind(id) != TokenKind::kControl || id == spec.unknown) ids.push_back(id);
  }
  HANGAR_TRY(TokenTrie trie, TokenTrie::build(spec.tokens, ids));
  return std::make_unique<WordPieceModel>(spec, std::move(trie));
}

}  // namespace hangar
