// Byte spelling: how byte-level vocabularies write bytes as visible characters.
//
// Promise: each of the 256 bytes has one character of its own: printable Latin-1 stands for itself,
//   the other 68 bytes take U+0100 and on, in order (a space is U+0120). spell and unspell are each
//   other's inverse.
// Source: GPT-2's encoder (Radford et al., 2019).
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hangar {

char32_t spelling_of_byte(std::uint8_t byte);
std::string spell_bytes(std::string_view bytes);
void append_spelling(std::string_view bytes, std::string& out);
// nullopt: `spelled` is not UTF-8, or holds a character that stands for no byte.
std::optional<std::string> unspell_bytes(std::string_view spelled);
// False, with `out` as it was, where unspell_bytes gives nothing.
bool append_unspelled(std::string_view spelled, std::string& out);

}  // namespace hangar
