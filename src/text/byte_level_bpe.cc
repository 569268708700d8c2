#include "text/byte_level_bpe.h"

#include <algorithm>
#include <utility>

#include "text/byte_spelling.h"
#include "text/end_of_generation.h"
#include "text/nfc.h"
#include "text/stream_decoder.h"
#include "text/utf8.h"

namespace hangar {
namespace {

// A file's text as a message may carry it: whole UTF-8, not long, no control characters.
std::string shown(std::string_view text) {
  constexpr std::size_t kShownBytes = 60;
  std::string out = to_valid_utf8(text.substr(0, kShownBytes));
  for (char& byte : out) {
    if (static_cast<std::uint8_t>(byte) < 0x20 || byte == 0x7F) byte = '?';
  }
  if (text.size() > kShownBytes) out += "...";
  return out;
}

constexpr std::size_t kMaxPieceBytes = std::size_t{1}
                                       << 30U;  // longer ones are cut: BpeMerges' limit

std::vector<TokenFinder::Token> tokens_of_kinds(const Vocabulary& vocabulary, bool control) {
  std::vector<TokenFinder::Token> tokens;
  for (TokenId id = 0; id < vocabulary.size(); ++id) {
    const TokenKind kind = vocabulary.kind(id);
    const bool wanted = kind == TokenKind::kUserDefined || (control && kind == TokenKind::kControl);
    if (wanted && !vocabulary.text(id).empty()) tokens.push_back({vocabulary.text(id), id});
  }
  return tokens;
}

}  // namespace

struct ByteLevelBpe::Work {
  explicit Work(const PreTokenSplitter& splitter) : cursor(splitter) {}
  PreTokenSplitter::Cursor cursor;
  BpeMerges::Scratch merges;
  std::vector<TokenId> symbols;
};

ByteLevelBpe::ByteLevelBpe(Vocabulary vocabulary, const PreTokenizer& pre_tokenizer,
                           PreTokenSplitter splitter)
    : vocabulary_(std::move(vocabulary)),
      pre_tokenizer_(pre_tokenizer),
      splitter_(std::move(splitter)),
      user_defined_(tokens_of_kinds(vocabulary_, /*control=*/false)),
      user_defined_and_control_(tokens_of_kinds(vocabulary_, /*control=*/true)),
      end_of_generation_(end_of_generation_ids(vocabulary_.spec())),
      whole_(std::make_unique<std::atomic<Whole>[]>(static_cast<std::size_t>(vocabulary_.size()))) {
}

Result<std::unique_ptr<const Tokenizer>> ByteLevelBpe::build(TokenizerSpec spec) {
  const PreTokenizer* pre_tokenizer = find_pre_tokenizer(spec.pre_tokenizer);
  if (pre_tokenizer == nullptr) {
    return make_error(ErrorCode::kUnsupported,
                      "tokenizer: the pre-tokenizer \"{}\" is not known; known are: {}",
                      shown(spec.pre_tokenizer), known_pre_tokenizers());
  }
  HANGAR_TRY(auto vocabulary, Vocabulary::build(std::move(spec)));
  HANGAR_TRY(auto splitter, PreTokenSplitter::compile(pre_tokenizer->expression));
  std::unique_ptr<ByteLevelBpe> tokenizer(
      new ByteLevelBpe(std::move(vocabulary), *pre_tokenizer, std::move(splitter)));
  HANGAR_CHECK_OK(tokenizer->add_merges());
  tokenizer->index_bytes();
  return tokenizer;
}

Status ByteLevelBpe::add_merges() {
  const std::vector<std::string>& merges = vocabulary_.spec().merges;
  merges_.reserve(merges.size());
  std::string joined_text;
  for (std::size_t i = 0; i < merges.size(); ++i) {
    const std::string_view merge = merges[i];
    const std::size_t space = merge.find(' ', 1);  // a token may begin with a space, none is empty
    if (space == std::string_view::npos || space + 1 == merge.size()) {
      return make_error(ErrorCode::kCorrupt, "tokenizer: merge {}, \"{}\", is not a pair", i,
                        shown(merge));
    }
    const std::string_view left_text = merge.substr(0, space);
    const std::string_view right_text = merge.substr(space + 1);
    joined_text.assign(left_text).append(right_text);
    const auto left = vocabulary_.find_text(left_text);
    const auto right = vocabulary_.find_text(right_text);
    const auto joined = vocabulary_.find_text(joined_text);
    if (!left || !right || !joined) {
      const std::string_view missing = !left ? left_text : !right ? right_text : joined_text;
      return make_error(ErrorCode::kCorrupt,
                        "tokenizer: merge {}, \"{}\": \"{}\" is no token of the vocabulary", i,
                        shown(merge), shown(missing));
    }
    merges_.add(*left, *right, *joined);
  }
  return {};
}

void ByteLevelBpe::index_bytes() {
  for (std::size_t byte = 0; byte < byte_ids_.size(); ++byte) {
    std::string spelled;
    append_utf8(spelling_of_byte(static_cast<std::uint8_t>(byte)), spelled);
    byte_ids_[byte] = vocabulary_.find_text(spelled).value_or(-1);
  }
}

std::vector<TokenId> ByteLevelBpe::encode(std::string_view text, EncodeOptions options) const {
  std::vector<TokenId> ids;
  Work work(splitter_);
  if (options.add_special && spec().add_bos) ids.push_back(*spec().bos);
  const TokenFinder& finder = options.parse_special ? user_defined_and_control_ : user_defined_;
  std::size_t done = 0;
  while (const auto match = finder.find(text, done)) {
    encode_plain(text.substr(done, match->begin - done), work, ids);
    ids.push_back(match->id);
    done = match->begin + match->bytes;
  }
  encode_plain(text.substr(done), work, ids);
  if (options.add_special && spec().add_eos) ids.push_back(*spec().eos);
  return ids;
}

// text: no special token is in it, any bytes.
void ByteLevelBpe::encode_plain(std::string_view text, Work& work,
                                std::vector<TokenId>& ids) const {
  while (!text.empty()) {
    const std::size_t valid = valid_utf8_prefix(text);
    if (valid > 0) encode_valid(text.substr(0, valid), work, ids);
    text.remove_prefix(valid);
    if (text.empty()) return;
    const std::size_t broken = next_utf8(text).bytes;
    for (std::size_t i = 0; i < broken; ++i) encode_piece(text.substr(i, 1), work, ids);
    text.remove_prefix(broken);
  }
}

void ByteLevelBpe::encode_valid(std::string_view text, Work& work,
                                std::vector<TokenId>& ids) const {
  std::string normalized;
  if (pre_tokenizer_.normalize_nfc && !surely_nfc(text)) {
    normalized = to_nfc(text);
    text = normalized;
  }
  splitter_.split(text, work.cursor, [&](std::string_view piece) {
    for (; piece.size() > kMaxPieceBytes; piece.remove_prefix(kMaxPieceBytes)) {
      encode_piece(piece.substr(0, kMaxPieceBytes), work, ids);
    }
    encode_piece(piece, work, ids);
  });
}

void ByteLevelBpe::encode_piece(std::string_view piece, Work& work,
                                std::vector<TokenId>& ids) const {
  if (piece.size() <= vocabulary_.longest_bytes()) {
    const auto id = vocabulary_.find_bytes(piece);
    if (id && (pre_tokenizer_.ignore_merges || is_whole(*id, piece, work))) {
      ids.push_back(*id);
      return;
    }
  }
  merge_piece(piece, work);
  ids.insert(ids.end(), work.symbols.begin(), work.symbols.end());
}

void ByteLevelBpe::merge_piece(std::string_view piece, Work& work) const {
  work.symbols.clear();
  for (const char byte : piece) {
    const TokenId id = byte_ids_[static_cast<std::uint8_t>(byte)];
    if (id >= 0) work.symbols.push_back(id);
  }
  merges_.merge(work.symbols, work.merges);
}

bool ByteLevelBpe::is_whole(TokenId id, std::string_view piece, Work& work) const {
  std::atomic<Whole>& memo = whole_[static_cast<std::size_t>(id)];
  const Whole known = memo.load(std::memory_order_relaxed);
  if (known != kNotTried) return known == kYes;
  merge_piece(piece, work);
  const bool whole = work.symbols.size() == 1 && work.symbols[0] == id;
  memo.store(whole ? kYes : kNo, std::memory_order_relaxed);
  return whole;
}

std::string_view ByteLevelBpe::token_bytes(TokenId id) const {
  return vocabulary_.contains(id) ? vocabulary_.bytes(id) : std::string_view();
}

bool ByteLevelBpe::is_special(TokenId id) const {
  if (!vocabulary_.contains(id)) return false;
  const TokenKind kind = vocabulary_.kind(id);
  return kind == TokenKind::kControl || kind == TokenKind::kUnknown;
}

bool ByteLevelBpe::ends_generation(TokenId id) const {
  return std::binary_search(end_of_generation_.begin(), end_of_generation_.end(), id);
}

std::optional<TokenId> ByteLevelBpe::find(std::string_view token_text) const {
  return vocabulary_.find_text(token_text);
}

}  // namespace hangar
