#include "text/added_tokens.h"

#include <algorithm>
#include <utility>

#include "text/character_class.h"
#include "text/utf8.h"

namespace hangar {
namespace {

bool is_word(std::string_view text) {
  const Utf8Unit unit = next_utf8(text);
  return unit.valid && CharacterClass::word().contains(unit.code_point);
}

// Where the last character of `text`, which is not empty, begins.
std::size_t last_character(std::string_view text) {
  std::size_t at = text.size() - 1;
  while (at > 0 && text.size() - at < 4 && (static_cast<std::uint8_t>(text[at]) & 0xC0U) == 0x80) {
    --at;
  }
  return at;
}

bool stands_alone(std::string_view text, std::size_t begin, std::size_t end) {
  if (begin > 0 && is_word(text.substr(last_character(text.substr(0, begin))))) return false;
  return end == text.size() || !is_word(text.substr(end));
}

std::size_t without_space_at_end(std::string_view text) {
  while (!text.empty()) {
    const std::size_t at = last_character(text);
    const Utf8Unit unit = next_utf8(text.substr(at));
    if (!unit.valid || !is_white_space(unit.code_point)) break;
    text = text.substr(0, at);
  }
  return text.size();
}

std::size_t space_at_start(std::string_view text) {
  std::size_t bytes = 0;
  while (bytes < text.size()) {
    const Utf8Unit unit = next_utf8(text.substr(bytes));
    if (!unit.valid || !is_white_space(unit.code_point)) break;
    bytes += unit.bytes;
  }
  return bytes;
}

std::vector<TokenFinder::Token> finder_tokens(const std::vector<AddedTokens::Entry>& entries) {
  std::vector<TokenFinder::Token> tokens;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (!entries[i].pattern.empty()) {
      tokens.push_back({entries[i].pattern, static_cast<TokenId>(i)});
    }
  }
  return tokens;
}

}  // namespace

std::vector<AddedToken> added_tokens_of_kinds(const TokenizerSpec& spec) {
  std::vector<AddedToken> added;
  for (std::size_t i = 0; i < spec.kinds.size() && i < spec.tokens.size(); ++i) {
    const TokenKind kind = spec.kinds[i];
    if (kind != TokenKind::kControl && kind != TokenKind::kUserDefined) continue;
    if (spec.tokens[i].empty()) continue;
    added.push_back({.id = static_cast<TokenId>(i),
                     .content = std::string(spec.tokens[i]),
                     .special = kind == TokenKind::kControl});
  }
  return added;
}

AddedTokens::AddedTokens(std::vector<Entry> entries)
    : entries_(std::make_unique<const std::vector<Entry>>(std::move(entries))),
      finder_(finder_tokens(*entries_)) {}

void AddedTokens::cut(std::string_view text, bool parse_special, OnPart on_part) const {
  std::size_t done = 0;
  for (auto match = finder_.find(text, 0); match;
       match = finder_.find(text, match->begin + match->bytes)) {
    const Entry& entry = (*entries_)[static_cast<std::size_t>(match->id)];
    std::size_t begin = match->begin;
    std::size_t end = begin + match->bytes;
    if (entry.special && !parse_special) continue;
    if (entry.single_word && !stands_alone(text, begin, end)) continue;
    // White space that the token before took with it is gone already.
    if (entry.lstrip) begin = std::max(without_space_at_end(text.substr(0, begin)), done);
    if (entry.rstrip) end += space_at_start(text.substr(end));
    if (done < begin) on_part(done, begin, -1);
    on_part(begin, end, entry.id);
    done = end;
  }
  if (done < text.size()) on_part(done, text.size(), -1);
}

}  // namespace hangar
