#include "text/byte_level_bpe.h"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <utility>

#include "text/bpe_merge_list.h"
#include "text/bpe_merges.h"
#include "text/byte_spelling.h"
#include "text/piece_cache.h"
#include "text/utf8.h"

namespace hangar {
namespace {

constexpr std::size_t kMaxPieceBytes = std::size_t{1} << 30U;  // BpeMerges' limit
constexpr std::size_t kKeptSymbols = std::size_t{1} << 16U;

class ByteLevelBpe final : public TokenModel {
 public:
  ByteLevelBpe(const Vocabulary& vocabulary, BpeMerges merges)
      : vocabulary_(vocabulary), merges_(std::move(merges)) {
    for (std::size_t byte = 0; byte < byte_ids_.size(); ++byte) {
      std::string spelled;
      append_utf8(spelling_of_byte(static_cast<std::uint8_t>(byte)), spelled);
      byte_ids_[byte] = vocabulary.find_text(spelled).value_or(-1);
    }
    for (TokenId id = 0; id < vocabulary.size(); ++id) {
      longest_bytes_ = std::max(longest_bytes_, vocabulary.text(id).size());
    }
  }

  std::unique_ptr<Scratch> make_scratch() const override { return std::make_unique<Work>(); }

  void encode(std::string_view piece, Scratch& scratch, std::vector<TokenId>& ids) const override {
    auto& work = static_cast<Work&>(scratch);
    if (piece.size() <= 1) {
      if (!piece.empty()) append_byte(piece[0], ids);
      return;
    }
    if (piece.size() > PieceCache::kMaxPieceBytes) {
      encode_new(piece, work, ids);
      return;
    }
    const PieceCache::Key key = PieceCache::key_of(piece, /*variant=*/false);
    if (work.cache.find(key, ids)) return;
    const std::size_t before = ids.size();
    encode_new(piece, work, ids);
    work.cache.store(key, std::span(ids).subspan(before));
  }

 private:
  struct Work final : Scratch {
    PieceCache cache;
    BpeMerges::Scratch merges;
    std::vector<TokenId> symbols;
    std::string spelled;
  };

  void append_byte(char byte, std::vector<TokenId>& ids) const {
    const TokenId id = byte_ids_[static_cast<std::uint8_t>(byte)];
    if (id >= 0) ids.push_back(id);
  }

  void encode_new(std::string_view piece, Work& work, std::vector<TokenId>& ids) const {
    if (vocabulary_.spec().ignore_merges && piece.size() <= longest_bytes_) {
      work.spelled.clear();
      append_spelling(piece, work.spelled);
      const auto id = vocabulary_.find_text(work.spelled);
      if (id && vocabulary_.kind(*id) != TokenKind::kControl) {
        ids.push_back(*id);
        return;
      }
    }
    for (; piece.size() > kMaxPieceBytes; piece.remove_prefix(kMaxPieceBytes)) {
      merge(piece.substr(0, kMaxPieceBytes), work, ids);
    }
    merge(piece, work, ids);
  }

  void merge(std::string_view piece, Work& work, std::vector<TokenId>& ids) const {
    work.symbols.clear();
    for (const char byte : piece) append_byte(byte, work.symbols);
    merges_.merge(work.symbols, work.merges);
    ids.insert(ids.end(), work.symbols.begin(), work.symbols.end());
    if (work.symbols.capacity() > kKeptSymbols) work.symbols = {};
  }

  const Vocabulary& vocabulary_;
  BpeMerges merges_;
  std::array<TokenId, 256> byte_ids_{};  // -1: the vocabulary has none
  std::size_t longest_bytes_ = 0;        // of a token's text, in its visible spelling
};

}  // namespace

Result<std::unique_ptr<const TokenModel>> make_byte_level_bpe(const Vocabulary& vocabulary) {
  HANGAR_TRY(BpeMerges merges, bpe_merges_of(vocabulary.spec(), vocabulary.index()));
  return std::make_unique<ByteLevelBpe>(vocabulary, std::move(merges));
}

}  // namespace hangar
