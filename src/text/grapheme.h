// Grapheme clusters: what a reader takes for one character ("e" with its accent, "\r\n").
//
// Promise: first_grapheme gives how many bytes the first extended grapheme cluster of a text has,
//   by the rules of Unicode 17. Of the letters that join in Indic conjuncts those past U+FFFF are
//   not known as such: their clusters come out cut between two letters.
// Source: Unicode Standard Annex 29; classes from utf8proc, which is older, and what has changed
//   since.
// Threads: pure function.
#pragma once

#include <cstddef>
#include <string_view>

namespace hangar {

// text is not empty. A broken byte is a cluster of its own.
std::size_t first_grapheme(std::string_view text);

}  // namespace hangar
