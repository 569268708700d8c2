#include "text/utf8.h"

#include <cstring>

namespace hangar {
namespace {

// What a first byte promises: how many bytes follow, and the bounds of the second one, which rule
// out overlong forms, surrogates and what lies past U+10FFFF.
struct Lead {
  int following = -1;  // -1: no character begins so
  std::uint8_t second_low = 0x80;
  std::uint8_t second_high = 0xBF;
};

Lead lead_of(std::uint8_t byte) {
  if (byte < 0x80) return {.following = 0};
  if (byte < 0xC2) return {};
  if (byte < 0xE0) return {.following = 1};
  if (byte == 0xE0) return {.following = 2, .second_low = 0xA0};
  if (byte == 0xED) return {.following = 2, .second_high = 0x9F};
  if (byte < 0xF0) return {.following = 2};
  if (byte == 0xF0) return {.following = 3, .second_low = 0x90};
  if (byte < 0xF4) return {.following = 3};
  if (byte == 0xF4) return {.following = 3, .second_high = 0x8F};
  return {};
}

std::size_t ascii_prefix(std::string_view text) {
  std::size_t at = 0;
  for (; at + sizeof(std::uint64_t) <= text.size(); at += sizeof(std::uint64_t)) {
    std::uint64_t word;
    std::memcpy(&word, text.data() + at, sizeof(word));
    if ((word & 0x8080808080808080ULL) != 0) break;
  }
  while (at < text.size() && static_cast<std::uint8_t>(text[at]) < 0x80) ++at;
  return at;
}

}  // namespace

Utf8Unit next_utf8(std::string_view text) {
  const auto first = static_cast<std::uint8_t>(text[0]);
  const Lead lead = lead_of(first);
  if (lead.following < 0) return {.bytes = 1};
  if (lead.following == 0) return {.bytes = 1, .valid = true, .code_point = first};
  char32_t code_point = first & (0x3FU >> static_cast<unsigned>(lead.following));
  const auto wanted = static_cast<std::size_t>(lead.following) + 1;
  for (std::size_t i = 1; i < wanted; ++i) {
    if (i == text.size()) return {.bytes = i, .incomplete = true};
    const auto byte = static_cast<std::uint8_t>(text[i]);
    const std::uint8_t low = i == 1 ? lead.second_low : 0x80;
    const std::uint8_t high = i == 1 ? lead.second_high : 0xBF;
    if (byte < low || byte > high) return {.bytes = i};
    code_point = (code_point << 6U) | (byte & 0x3FU);
  }
  return {.bytes = wanted, .valid = true, .code_point = code_point};
}

std::size_t valid_utf8_prefix(std::string_view text) {
  std::size_t at = 0;
  while (true) {
    at += ascii_prefix(text.substr(at));
    if (at == text.size()) return at;
    const Utf8Unit unit = next_utf8(text.substr(at));
    if (!unit.valid) return at;
    at += unit.bytes;
  }
}

void append_utf8(char32_t code_point, std::string& out) {
  const auto put = [&out](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xC0U | (code_point >> 6U));
    put(0x80U | (code_point & 0x3FU));
  } else if (code_point < 0x10000) {
    put(0xE0U | (code_point >> 12U));
    put(0x80U | ((code_point >> 6U) & 0x3FU));
    put(0x80U | (code_point & 0x3FU));
  } else {
    put(0xF0U | (code_point >> 18U));
    put(0x80U | ((code_point >> 12U) & 0x3FU));
    put(0x80U | ((code_point >> 6U) & 0x3FU));
    put(0x80U | (code_point & 0x3FU));
  }
}

}  // namespace hangar
