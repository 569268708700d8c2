// make_unigram_model: the most likely row of tokens (Viterbi).
//
// Source: Kudo, "Subword Regularization" (2018).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <span>
#include <utility>

#include "text/piece_cache.h"
#include "text/token_model.h"
#include "text/token_trie.h"
#include "text/utf8.h"

namespace hangar {
namespace {

constexpr double kUnknownPenalty = 10;  // below the worst token's score
constexpr TokenId kNoUnknown = -2;      // stands for the unknown token where the file has none

class UnigramModel final : public TokenModel {
 public:
  UnigramModel(const TokenizerSpec& spec, TokenTrie trie)
      : spec_(spec), trie_(std::move(trie)), unknown_(spec.unknown.value_or(kNoUnknown)) {
    const auto worst = std::min_element(spec.scores.begin(), spec.scores.end());
    unknown_score_ = (worst == spec.scores.end() ? 0 : *worst) - kUnknownPenalty;
    for (std::size_t byte = 0; byte < byte_ids_.size(); ++byte) {
      byte_ids_[byte] = spec.byte_fallback ? trie_.find(fmt::format("<0x{:02X}>", byte)) : -1;
    }
  }

  std::unique_ptr<Scratch> make_scratch() const override { return std::make_unique<Work>(); }

  void encode(std::string_view piece, Scratch& scratch, std::vector<TokenId>& ids) const override {
    if (piece.empty()) return;
    auto& work = static_cast<Work&>(scratch);
    if (piece.size() > PieceCache::kMaxPieceBytes) {
      search(piece, work, ids);
      return;
    }
    const PieceCache::Key key = PieceCache::key_of(piece, /*variant=*/false);
    if (work.cache.find(key, ids)) return;
    const std::size_t before = ids.size();
    search(piece, work, ids);
    work.cache.store(key, std::span(ids).subspan(before));
  }

 private:
  // The best way to get to a place in the text, by its last token. bytes 0: none is known yet.
  struct Best {
    double score = 0;
    TokenId id = 0;
    std::uint32_t bytes = 0;
  };
  struct Work final : Scratch {
    PieceCache cache;
    std::vector<Best> best;
    std::vector<Best> path;
  };
  // Unknown characters in a row, which become one token.
  struct UnknownRow {
    std::size_t begin = 0;
    std::size_t end = 0;
  };

  void search(std::string_view text, Work& work, std::vector<TokenId>& ids) const;
  void append_path(std::string_view text, std::size_t begin, Work& work, UnknownRow& row,
                   std::vector<TokenId>& ids) const;
  void append_unknown(std::string_view text, UnknownRow& row, std::vector<TokenId>& ids) const;

  const TokenizerSpec& spec_;
  TokenTrie trie_;
  TokenId unknown_;
  double unknown_score_ = 0;
  std::array<TokenId, 256> byte_ids_{};
};

void UnigramModel::search(std::string_view text, Work& work, std::vector<TokenId>& ids) const {
  std::vector<Best>& best = work.best;  // by place, from `begin` on; as far as tokens reach
  UnknownRow row;
  std::size_t begin = 0;  // all before it is decided
  best.assign(1, {});
  const auto offer = [&](std::size_t place, const Best& way) {
    if (place >= best.size()) best.resize(place + 1);
    Best& known = best[place];
    if (known.bytes == 0 || way.score > known.score) known = way;
  };
  for (std::size_t start = 0; start < text.size();) {
    if (start + 1 == begin + best.size() && start > begin) {
      // No token reaches past this place: every way goes through it.
      append_path(text, begin, work, row, ids);
      const double score = best.back().score;
      best.assign(1, {.score = score});
      begin = start;
    }
    const double score = best[start - begin].score;
    const std::size_t character_bytes =
        static_cast<std::uint8_t>(text[start]) < 0x80 ? 1 : next_utf8(text.substr(start)).bytes;
    bool has_character = false;
    TokenTrie::Node node = trie_.root();
    for (std::size_t end = start; end < text.size();) {
      node = trie_.next(node, text[end]);
      if (node == TokenTrie::kNone) break;
      ++end;
      if (!trie_.is_token(node)) continue;
      offer(end - begin, {.score = spec_.scores[node] + score,
                          .id = static_cast<TokenId>(node),
                          .bytes = static_cast<std::uint32_t>(end - start)});
      has_character = has_character || end - start == character_bytes;
    }
    if (!has_character) {
      offer(start + character_bytes - begin,
            {.score = unknown_score_ + score,
             .id = unknown_,
             .bytes = static_cast<std::uint32_t>(character_bytes)});
    }
    start += character_bytes;
  }
  append_path(text, begin, work, row, ids);
  append_unknown(text, row, ids);
  constexpr std::size_t kKept = std::size_t{1} << 16U;
  if (best.capacity() > kKept) best = {};
  if (work.path.capacity() > kKept) work.path = {};
}

// The way to the last place of work.best, forward.
void UnigramModel::append_path(std::string_view text, std::size_t begin, Work& work,
                               UnknownRow& row, std::vector<TokenId>& ids) const {
  work.path.clear();
  for (std::size_t place = work.best.size() - 1; place > 0; place -= work.best[place].bytes) {
    work.path.push_back(work.best[place]);
  }
  std::size_t at = begin;
  for (auto step = work.path.rbegin(); step != work.path.rend(); ++step) {
    if (step->id == unknown_) {
      if (row.end == row.begin) row.begin = at;
      row.end = at + step->bytes;
    } else {
      append_unknown(text, row, ids);
      ids.push_back(step->id);
    }
    at += step->bytes;
  }
}

void UnigramModel::append_unknown(std::string_view text, UnknownRow& row,
                                  std::vector<TokenId>& ids) const {
  const std::string_view unknown = text.substr(row.begin, row.end - row.begin);
  row = {};
  if (unknown.empty()) return;
  if (const TokenId id = trie_.find(unknown); id >= 0) {
    ids.push_back(id);
    return;
  }
  const auto id_of = [&](char byte) { return byte_ids_[static_cast<std::uint8_t>(byte)]; };
  if (spec_.byte_fallback &&
      std::all_of(unknown.begin(), unknown.end(), [&](char byte) { return id_of(byte) >= 0; })) {
    for (const char byte : unknown) ids.push_back(id_of(byte));
  } else if (unknown_ != kNoUnknown) {
    ids.push_back(unknown_);
  }
}

}  // namespace

Result<std::unique_ptr<const TokenModel>> make_unigram_model(const Vocabulary& vocabulary) {
  const TokenizerSpec& spec = vocabulary.spec();
  if (spec.scores.empty() || spec.scores.size() > spec.tokens.size()) {
    return make_error(ErrorCode::kCorrupt, "tokenizer: {} scores for {} tokens of a Unigram model",
                      spec.scores.size(), spec.tokens.size());
  }
  std::vector<TokenId> ids;
  for (TokenId id = 0; static_cast<std::size_t>(id) < spec.scores.size(); ++id) {
    if (!std::isfinite(spec.scores[static_cast<std::size_t>(id)])) {
      return make_error(ErrorCode::kCorrupt, "tokenizer: the score of token {} is not a number",
                        id);
    }
    // Control tokens are never had from text that is not parsed for them.
    if (vocabulary.kind(id) != TokenKind::kControl || id == spec.unknown) ids.push_back(id);
  }
  HANGAR_TRY(TokenTrie trie, TokenTrie::build(spec.tokens, ids));
  return std::make_unique<UnigramModel>(spec, std::move(trie));
}

}  // namespace hangar
