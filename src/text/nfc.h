// NFC: Unicode's composed normal form, which some models' tokenizers bring text to first.
//
// Promise: to_nfc(text) is `text` in NFC by Unicode 9, which is what the normaliser of Hugging
// Face's
//   tokenizers knows: characters that take part only since then are left where they stand, and
//   nothing moves or joins across them. For older characters all versions agree. Time is O(n log n)
//   for any text, long rows of combining marks included.
// Source: Unicode Standard Annex 15; the tables are utf8proc's.
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>

namespace hangar {

// True where a quick look shows `text` to be in NFC already; false says nothing.
bool surely_nfc(std::string_view text);

// text: valid UTF-8.
std::string to_nfc(std::string_view text);

}  // namespace hangar
