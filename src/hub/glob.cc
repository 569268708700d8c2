#include "hub/glob.h"

#include <algorithm>
#include <cstddef>

namespace hangar::hub {
namespace {

// One pattern item that stands for one character: its length, and whether it takes `c`.
struct Item {
  std::size_t length;
  bool matches;
};

Item item_at(std::string_view pattern, char c) {
  if (pattern[0] == '?') return {1, true};
  if (pattern[0] != '[') return {1, pattern[0] == c};
  const bool negated = pattern.size() > 1 && pattern[1] == '!';
  const std::size_t first = negated ? 2 : 1;
  // A ']' right after the opening is a member of the set.
  const std::size_t close = pattern.find(']', first + 1);
  if (close == std::string_view::npos) return {1, c == '['};
  bool inside = false;
  for (std::size_t i = first; i < close; ++i) {
    if (i + 2 < close && pattern[i + 1] == '-') {
      inside = inside || (pattern[i] <= c && c <= pattern[i + 2]);
      i += 2;
    } else {
      inside = inside || pattern[i] == c;
    }
  }
  return {close + 1, inside != negated};
}

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  // Where to go on if what follows the last '*' does not fit: that star takes one character more.
  std::size_t star = std::string_view::npos;
  std::size_t star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
      continue;
    }
    if (p < pattern.size()) {
      const Item item = item_at(pattern.substr(p), text[t]);
      if (item.matches) {
        p += item.length;
        ++t;
        continue;
      }
    }
    if (star == std::string_view::npos) return false;
    p = star + 1;
    t = ++star_text;
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

bool any_glob_matches(std::span<const std::string> patterns, std::string_view text) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return glob_matches(pattern, text); });
}

}  // namespace hangar::hub
