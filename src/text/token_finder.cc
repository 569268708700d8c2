#include "text/token_finder.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace hangar {

TokenFinder::TokenFinder(std::vector<Token> tokens) : tokens_(std::move(tokens)) {
  std::sort(tokens_.begin(), tokens_.end(), [](const Token& a, const Token& b) {
    return std::tie(a.text, a.id) < std::tie(b.text, b.id);
  });
  const auto same = [](const Token& a, const Token& b) { return a.text == b.text; };
  tokens_.erase(std::unique(tokens_.begin(), tokens_.end(), same), tokens_.end());
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    Range& range = by_first_byte_[static_cast<std::uint8_t>(tokens_[i].text[0])];
    if (range.end == 0) range.begin = i;
    range.end = i + 1;
  }
}

std::optional<TokenFinder::Match> TokenFinder::longest_at(std::string_view text,
                                                          std::size_t at) const {
  Range range = by_first_byte_[static_cast<std::uint8_t>(text[at])];
  std::optional<Match> best;
  // All tokens in the range agree with the text in their first `depth` bytes.
  for (std::size_t depth = 1; range.begin < range.end; ++depth) {
    if (tokens_[range.begin].text.size() == depth) {  // a prefix of the others: sorted first
      best = Match{.begin = at, .bytes = depth, .id = tokens_[range.begin].id};
      ++range.begin;
    }
    if (at + depth == text.size()) break;
    const auto next = static_cast<std::uint8_t>(text[at + depth]);
    const auto byte_of = [depth](const Token& token) {
      return static_cast<std::uint8_t>(token.text[depth]);
    };
    const auto first = tokens_.begin();
    const auto begin =
        std::partition_point(first + static_cast<std::ptrdiff_t>(range.begin),
                             first + static_cast<std::ptrdiff_t>(range.end),
                             [&](const Token& token) { return byte_of(token) < next; });
    const auto end =
        std::partition_point(begin, first + static_cast<std::ptrdiff_t>(range.end),
                             [&](const Token& token) { return byte_of(token) == next; });
    range = {.begin = static_cast<std::size_t>(begin - first),
             .end = static_cast<std::size_t>(end - first)};
  }
  return best;
}

std::optional<TokenFinder::Match> TokenFinder::find(std::string_view text, std::size_t from) const {
  if (tokens_.empty()) return std::nullopt;
  for (std::size_t at = from; at < text.size(); ++at) {
    const Range& range = by_first_byte_[static_cast<std::uint8_t>(text[at])];
    if (range.begin == range.end) continue;
    if (auto match = longest_at(text, at)) return match;
  }
  return std::nullopt;
}

}  // namespace hangar
