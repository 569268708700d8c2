// Unicode's normal forms, which some models' tokenizers bring text to first.
//
// Promise: to_form(text, form) is `text` in that form by Unicode 9, which is what the normaliser of
//   Hugging Face's tokenizers knows: characters that take part only since then are left where they
//   stand, and nothing moves or joins across them. For older characters all versions agree. Time is
//   O(n log n) for any text, long rows of combining marks included.
// Source: Unicode Standard Annex 15; the tables are utf8proc's.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hangar {

enum class UnicodeForm : std::uint8_t { kNfc, kNfd, kNfkc, kNfkd };

// True where a quick look shows `text` to be in the form already; false says nothing.
bool surely_in_form(std::string_view text, UnicodeForm form);

// text: valid UTF-8.
std::string to_form(std::string_view text, UnicodeForm form);

}  // namespace hangar
