#include "text/vocabulary.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "text/byte_spelling.h"

namespace hangar {
namespace {

// "<0x0A>": how some vocabularies write the token of one byte.
std::optional<std::string> byte_token(std::string_view text) {
  if (text.size() != 6 || !text.starts_with("<0x") || text[5] != '>') return std::nullopt;
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data() + 3, text.data() + 5, value, 16);
  if (error != std::errc() || end != text.data() + 5) return std::nullopt;
  return std::string(1, static_cast<char>(value));
}

std::string bytes_of(std::string_view text, TokenKind kind) {
  switch (kind) {
    case TokenKind::kNormal:
    case TokenKind::kUnused:
      break;
    case TokenKind::kByte:
      if (auto byte = byte_token(text)) return *std::move(byte);
      break;
    case TokenKind::kUnknown:
    case TokenKind::kControl:
    case TokenKind::kUserDefined:
      return std::string(text);  // written as it is, not in byte spelling
  }
  return unspell_bytes(text).value_or(std::string(text));
}

Status check_id(std::string_view field, std::optional<TokenId> id, std::size_t tokens) {
  if (!id || (*id >= 0 && static_cast<std::size_t>(*id) < tokens)) return {};
  return make_error(ErrorCode::kCorrupt, "tokenizer: {} is {}, but there are {} tokens", field, *id,
                    tokens);
}

}  // namespace

Result<Vocabulary> Vocabulary::build(TokenizerSpec spec) {
  Vocabulary vocabulary(std::move(spec));
  HANGAR_CHECK_OK(vocabulary.check());
  vocabulary.index();
  return vocabulary;
}

Status Vocabulary::check() const {
  const std::size_t count = spec_.tokens.size();
  if (count == 0) return make_error(ErrorCode::kCorrupt, "tokenizer: the vocabulary is empty");
  if (count > static_cast<std::size_t>(std::numeric_limits<TokenId>::max())) {
    return make_error(ErrorCode::kCorrupt, "tokenizer: {} tokens are more than ids can number",
                      count);
  }
  if (!spec_.kinds.empty() && spec_.kinds.size() != count) {
    return make_error(ErrorCode::kCorrupt, "tokenizer: {} token kinds for {} tokens",
                      spec_.kinds.size(), count);
  }
  HANGAR_CHECK_OK(check_id("bos", spec_.bos, count));
  HANGAR_CHECK_OK(check_id("eos", spec_.eos, count));
  HANGAR_CHECK_OK(check_id("unknown", spec_.unknown, count));
  HANGAR_CHECK_OK(check_id("padding", spec_.padding, count));
  for (const TokenId id : spec_.end_of_generation) {
    HANGAR_CHECK_OK(check_id("end_of_generation", id, count));
  }
  if (spec_.add_bos && !spec_.bos) {
    return make_error(ErrorCode::kCorrupt, "tokenizer: add_bos is set, but no bos token is named");
  }
  if (spec_.add_eos && !spec_.eos) {
    return make_error(ErrorCode::kCorrupt, "tokenizer: add_eos is set, but no eos token is named");
  }
  return {};
}

void Vocabulary::index() {
  const std::size_t count = spec_.tokens.size();
  bytes_begin_.reserve(count + 1);
  bytes_begin_.push_back(0);
  for (TokenId id = 0; id < size(); ++id) {
    const std::string bytes = bytes_of(text(id), kind(id));
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    bytes_begin_.push_back(bytes_.size());
  }
  by_text_.reserve(count);
  by_bytes_.reserve(count);
  for (TokenId id = 0; id < size(); ++id) {
    by_text_.try_emplace(text(id), id);
    if (kind(id) != TokenKind::kNormal || bytes(id).empty()) continue;
    by_bytes_.try_emplace(bytes(id), id);
    longest_bytes_ = std::max(longest_bytes_, bytes(id).size());
  }
}

TokenKind Vocabulary::kind(TokenId id) const {
  return spec_.kinds.empty() ? TokenKind::kNormal : spec_.kinds[static_cast<std::size_t>(id)];
}

std::string_view Vocabulary::bytes(TokenId id) const {
  const auto index = static_cast<std::size_t>(id);
  const std::size_t begin = bytes_begin_[index];
  return {bytes_.data() + begin, bytes_begin_[index + 1] - begin};
}

std::optional<TokenId> Vocabulary::find_text(std::string_view text) const {
  const auto found = by_text_.find(text);
  if (found == by_text_.end()) return std::nullopt;
  return found->second;
}

std::optional<TokenId> Vocabulary::find_bytes(std::string_view bytes) const {
  const auto found = by_bytes_.find(bytes);
  if (found == by_bytes_.end()) return std::nullopt;
  return found->second;
}

}  // namespace hangar
