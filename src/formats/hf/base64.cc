#include "formats/hf/base64.h"

#include <cstdint>

namespace hangar::hf {
namespace {

// The six bits of a character; 64: not one of the alphabet.
std::uint32_t bits_of(char c) {
  if (c >= 'A' && c <= 'Z') return static_cast<std::uint32_t>(c - 'A');
  if (c >= 'a' && c <= 'z') return static_cast<std::uint32_t>(c - 'a' + 26);
  if (c >= '0' && c <= '9') return static_cast<std::uint32_t>(c - '0' + 52);
  if (c == '+') return 62;
  return c == '/' ? 63 : 64;
}

}  // namespace

std::optional<std::string> decode_base64(std::string_view text) {
  if (text.size() % 4 == 0) {
    for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  }
  if (text.size() % 4 == 1) return std::nullopt;
  std::string out;
  out.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t window = 0;
  unsigned held_bits = 0;
  for (const char c : text) {
    const std::uint32_t bits = bits_of(c);
    if (bits == 64) return std::nullopt;
    window = (window << 6U) | bits;
    held_bits += 6;
    if (held_bits < 8) continue;
    held_bits -= 8;
    out.push_back(static_cast<char>((window >> held_bits) & 0xFFU));
  }
  return out;
}

}  // namespace hangar::hf
