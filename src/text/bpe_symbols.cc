#include "text/bpe_symbols.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "text/utf8.h"

namespace hangar {

BpeSymbols::IdOfCharacter::IdOfCharacter() : pages_(0x1100), ids_(256, TokenIndex::kNone) {}

void BpeSymbols::IdOfCharacter::add(char32_t character, TokenId id) {
  std::uint16_t& page = pages_[character >> 8U];
  if (page == 0) {
    page = static_cast<std::uint16_t>(ids_.size() / 256);
    ids_.resize(ids_.size() + 256, TokenIndex::kNone);
  }
  TokenId& entry = ids_[page * std::size_t{256} + (character & 0xFFU)];
  if (entry == TokenIndex::kNone) entry = id;
}

BpeSymbols::BpeSymbols(const TokenizerSpec& spec, const TokenIndex& index)
    : spec_(spec), dresses_(!spec.subword_prefix.empty() || !spec.word_suffix.empty()) {
  const std::size_t longest = 4 + spec.subword_prefix.size() + spec.word_suffix.size();
  for (std::size_t i = 0; i < spec.tokens.size(); ++i) {
    const std::string_view text = spec.tokens[i];
    if (text.empty() || text.size() > longest) continue;
    const auto id = static_cast<TokenId>(i);
    const Utf8Unit unit = next_utf8(text);
    if (unit.valid && unit.bytes == text.size()) plain_.add(unit.code_point, id);
    if (dresses_) add_dressed(text, id);
  }
  for (std::size_t byte = 0; byte < byte_ids_.size(); ++byte) {
    byte_ids_[byte] =
        spec.byte_fallback ? index.find(fmt::format("<0x{:02X}>", byte)) : TokenIndex::kNone;
  }
}

void BpeSymbols::add_dressed(std::string_view text, TokenId id) {
  for (unsigned dress = 0; dress < dressed_.size(); ++dress) {
    const std::string_view prefix = (dress & 1U) != 0 ? spec_.subword_prefix : std::string_view();
    const std::string_view suffix = (dress & 2U) != 0 ? spec_.word_suffix : std::string_view();
    if (text.size() <= prefix.size() + suffix.size()) continue;
    if (!text.starts_with(prefix) || !text.ends_with(suffix)) continue;
    const std::string_view inner =
        text.substr(prefix.size(), text.size() - prefix.size() - suffix.size());
    const Utf8Unit unit = next_utf8(inner);
    if (unit.valid && unit.bytes == inner.size()) dressed_[dress].add(unit.code_point, id);
  }
}

std::vector<TokenId> BpeSymbols::byte_and_unknown_ids() const {
  std::vector<TokenId> ids;
  std::copy_if(byte_ids_.begin(), byte_ids_.end(), std::back_inserter(ids),
               [](TokenId id) { return id != TokenIndex::kNone; });
  if (spec_.unknown) ids.push_back(*spec_.unknown);
  return ids;
}

void BpeSymbols::append(std::string_view piece, std::vector<TokenId>& symbols) const {
  std::optional<TokenId> unknown;  // seen, and not yet appended: more may be fused with it
  for (std::size_t at = 0; at < piece.size();) {
    const Utf8Unit unit = next_utf8(piece.substr(at));
    const bool first = at == 0;
    const std::string_view character = piece.substr(at, unit.bytes);
    at += unit.bytes;
    const bool last = at == piece.size();
    TokenId id = TokenIndex::kNone;
    if (unit.valid) {
      const unsigned dress = (first ? 0U : 1U) + (last ? 2U : 0U);
      id = (dresses_ ? dressed_[dress] : plain_).find(unit.code_point);
    }
    if (id == TokenIndex::kNone) {
      append_missing(character, first, last, unknown, symbols);
      continue;
    }
    if (unknown) symbols.push_back(*std::exchange(unknown, std::nullopt));
    symbols.push_back(id);
  }
  if (unknown) symbols.push_back(*unknown);
}

void BpeSymbols::append_missing(std::string_view character, bool first, bool last,
                                std::optional<TokenId>& unknown,
                                std::vector<TokenId>& symbols) const {
  if (spec_.byte_fallback) {
    std::string dressed;
    if (dresses_) {
      dressed = (first ? "" : spec_.subword_prefix) + std::string(character) +
                (last ? spec_.word_suffix : "");
      character = dressed;
    }
    const auto id_of = [&](char byte) { return byte_ids_[static_cast<std::uint8_t>(byte)]; };
    const bool all = std::all_of(character.begin(), character.end(),
                                 [&](char byte) { return id_of(byte) != TokenIndex::kNone; });
    if (all) {
      // An unknown before it stays behind, as in tokenizers.
      for (const char byte : character) symbols.push_back(id_of(byte));
      return;
    }
  }
  if (!spec_.unknown) return;
  if (unknown && !spec_.fuse_unknown) symbols.push_back(*unknown);
  unknown = spec_.unknown;
}

}  // namespace hangar
