// make_bpe_model: byte-pair encoding over characters.
#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "text/bpe_merge_list.h"
#include "text/bpe_merges.h"
#include "text/bpe_symbols.h"
#include "text/piece_cache.h"
#include "text/token_index.h"
#include "text/token_model.h"
#include "text/utf8.h"

namespace hangar {
namespace {

constexpr std::string_view kSpaceMark = "\u2581";  // SentencePiece's space
constexpr char32_t kSpaceMarkCharacter = 0x2581;
constexpr std::size_t kMaxSymbolBytes = std::size_t{1} << 30U;  // BpeMerges' limit

// The last character of a text, which is not empty; U+FFFD where that is broken.
char32_t last_character(std::string_view text) {
  std::size_t begin = text.size() - 1;
  while (begin > 0 && text.size() - begin < 4 &&
         (static_cast<std::uint8_t>(text[begin]) & 0xC0U) == 0x80U) {
    --begin;
  }
  const Utf8Unit unit = next_utf8(text.substr(begin));
  return unit.valid ? unit.code_point : 0xFFFD;
}

// Where a long piece may be cut without changing its ids: before a space mark that no merge joins
// with what stands before it. A merge that crossed such a place would be of a left part that ends
// with the character before it and a right part that begins with the mark, as those characters
// begin as tokens of their own text; what is on the two sides is merged in its own order.
class SafeCuts {
 public:
  SafeCuts(const TokenizerSpec& spec, const BpeMerges& merges, const BpeSymbols& symbols) {
    if (!spec.subword_prefix.empty() || !spec.word_suffix.empty()) return;
    if (symbols.find(kSpaceMarkCharacter) < 0) return;  // it could be fused with other unknowns
    std::vector<std::uint8_t> begins_with_mark(spec.tokens.size());
    for (std::size_t id = 0; id < spec.tokens.size(); ++id) {
      begins_with_mark[id] = spec.tokens[id].starts_with(kSpaceMark) ? 1 : 0;
    }
    // The text of these is not that of the characters they stand for.
    std::vector<std::uint8_t> stands_for_another(spec.tokens.size());
    for (const TokenId id : symbols.byte_and_unknown_ids()) {
      stands_for_another[static_cast<std::size_t>(id)] = 1;
    }
    bool possible = true;
    merges.for_each([&](TokenId left_id, TokenId right_id) {
      const auto left = static_cast<std::size_t>(left_id);
      const auto right = static_cast<std::size_t>(right_id);
      if ((stands_for_another[left] | stands_for_another[right]) != 0) possible = false;
      if (begins_with_mark[right] != 0) joined_.push_back(last_character(spec.tokens[left]));
    });
    joined_.push_back(kSpaceMarkCharacter);
    std::sort(joined_.begin(), joined_.end());
    joined_.erase(std::unique(joined_.begin(), joined_.end()), joined_.end());
    possible_ = possible;
  }

  // The bytes up to the first cut inside, or all.
  std::size_t first(std::string_view text) const {
    if (!possible_) return text.size();
    for (std::size_t at = 1; at < text.size();) {
      at = text.find(kSpaceMark, at);
      if (at == std::string_view::npos) return text.size();
      if (!is_joined(last_character(text.substr(0, at)))) return at;
      at += kSpaceMark.size();
    }
    return text.size();
  }

 private:
  bool is_joined(char32_t character) const {
    return std::binary_search(joined_.begin(), joined_.end(), character);
  }

  bool possible_ = false;
  std::vector<char32_t> joined_;  // the characters that some merge joins with the mark; ascending
};

class BpeModel final : public TokenModel {
 public:
  BpeModel(const Vocabulary& vocabulary, BpeMerges merges, BpeSymbols symbols)
      : vocabulary_(vocabulary),
        ignore_merges_(vocabulary.spec().ignore_merges),
        merges_(std::move(merges)),
        symbols_(std::move(symbols)),
        cuts_(vocabulary.spec(), merges_, symbols_) {}

  std::unique_ptr<Scratch> make_scratch() const override { return std::make_unique<Work>(); }

  void encode(std::string_view piece, Scratch& scratch, std::vector<TokenId>& ids) const override {
    if (piece.empty()) return;
    auto& work = static_cast<Work&>(scratch);
    if (piece.size() <= PieceCache::kMaxPieceBytes) {
      encode_short(piece, ignore_merges_, work, ids);
      return;
    }
    if (ignore_merges_) {
      if (const auto id = whole(piece)) {
        ids.push_back(*id);
        return;
      }
    }
    while (!piece.empty()) {
      const std::size_t bytes = cuts_.first(piece);
      encode_part(piece.substr(0, bytes), work, ids);
      piece.remove_prefix(bytes);
    }
  }

 private:
  struct Work final : Scratch {
    PieceCache cache;
    BpeMerges::Scratch merges;
    std::vector<TokenId> symbols;
  };

  // Control tokens are never had from text that is not parsed for them.
  std::optional<TokenId> whole(std::string_view piece) const {
    const auto id = vocabulary_.find_text(piece);
    if (id && vocabulary_.kind(*id) == TokenKind::kControl) return std::nullopt;
    return id;
  }

  void encode_part(std::string_view part, Work& work, std::vector<TokenId>& ids) const {
    if (part.size() <= PieceCache::kMaxPieceBytes) {
      encode_short(part, /*may_be_whole=*/false, work, ids);
      return;
    }
    for (; part.size() > kMaxSymbolBytes; part.remove_prefix(kMaxSymbolBytes)) {
      merge(part.substr(0, kMaxSymbolBytes), work, ids);
    }
    merge(part, work, ids);
  }

  void encode_short(std::string_view piece, bool may_be_whole, Work& work,
                    std::vector<TokenId>& ids) const {
    const PieceCache::Key key = PieceCache::key_of(piece, may_be_whole);
    if (work.cache.find(key, ids)) return;
    const std::size_t before = ids.size();
    const auto id = may_be_whole ? whole(piece) : std::nullopt;
    if (id) {
      ids.push_back(*id);
    } else {
      merge(piece, work, ids);
    }
    work.cache.store(key, std::span(ids).subspan(before));
  }

  void merge(std::string_view piece, Work& work, std::vector<TokenId>& ids) const {
    work.symbols.clear();
    symbols_.append(piece, work.symbols);
    merges_.merge(work.symbols, work.merges);
    ids.insert(ids.end(), work.symbols.begin(), work.symbols.end());
    if (work.symbols.capacity() > kKeptSymbols) work.symbols = {};
  }

  static constexpr std::size_t kKeptSymbols = std::size_t{1} << 16U;

  const Vocabulary& vocabulary_;
  bool ignore_merges_;
  BpeMerges merges_;
  BpeSymbols symbols_;
  SafeCuts cuts_;
};

}  // namespace

Result<std::unique_ptr<const TokenModel>> make_bpe_model(const Vocabulary& vocabulary) {
  const TokenizerSpec& spec = vocabulary.spec();
  const TokenIndex& index = vocabulary.index();
  HANGAR_TRY(BpeMerges merges, bpe_merges_of(spec, index));
  return std::make_unique<BpeModel>(vocabulary, std::move(merges), BpeSymbols(spec, index));
}

}  // namespace hangar
