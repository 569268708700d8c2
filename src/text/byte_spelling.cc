#include "text/byte_spelling.h"

#include <array>

#include "text/utf8.h"

namespace hangar {
namespace {

constexpr char32_t kFirstShifted = 0x100;
constexpr std::size_t kCharacters = 0x144;  // one past the last character that stands for a byte

constexpr bool stands_for_itself(unsigned byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

struct Maps {
  std::array<char32_t, 256> character{};
  std::array<std::int16_t, kCharacters> byte{};
};

constexpr Maps make_maps() {
  Maps maps;
  for (auto& byte : maps.byte) byte = -1;
  char32_t next = kFirstShifted;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const char32_t character = stands_for_itself(byte) ? static_cast<char32_t>(byte) : next++;
    maps.character[byte] = character;
    maps.byte[character] = static_cast<std::int16_t>(byte);
  }
  return maps;
}

constexpr Maps kMaps = make_maps();

}  // namespace

char32_t spelling_of_byte(std::uint8_t byte) {
  return kMaps.character[byte];
}

std::string spell_bytes(std::string_view bytes) {
  std::string spelled;
  append_spelling(bytes, spelled);
  return spelled;
}

void append_spelling(std::string_view bytes, std::string& out) {
  for (const char byte : bytes) {
    // All stand below U+0800: one or two bytes.
    const char32_t character = kMaps.character[static_cast<std::uint8_t>(byte)];
    if (character < 0x80) {
      out += static_cast<char>(character);
    } else {
      const std::array<char, 2> two = {static_cast<char>(0xC0U | (character >> 6U)),
                                       static_cast<char>(0x80U | (character & 0x3FU))};
      out.append(two.data(), two.size());
    }
  }
}

std::optional<std::string> unspell_bytes(std::string_view spelled) {
  std::string bytes;
  if (!append_unspelled(spelled, bytes)) return std::nullopt;
  return bytes;
}

bool append_unspelled(std::string_view spelled, std::string& out) {
  const std::size_t before = out.size();
  out.resize(before + spelled.size());  // no byte is spelled in less than one
  char* to = out.data() + before;
  const char* const end = spelled.data() + spelled.size();
  for (const char* p = spelled.data(); p != end;) {
    char32_t character = static_cast<std::uint8_t>(*p++);
    if (character >= 0x80) {
      // All that stand for a byte and are no ASCII have two bytes.
      const bool two = character >= 0xC2 && character < 0xE0 && p != end &&
                       (static_cast<std::uint8_t>(*p) & 0xC0U) == 0x80U;
      character =
          two ? (character & 0x1FU) << 6U | (static_cast<std::uint8_t>(*p++) & 0x3FU) : kCharacters;
    }
    const std::int16_t byte = character < kCharacters ? kMaps.byte[character] : std::int16_t{-1};
    if (byte < 0) {
      out.resize(before);
      return false;
    }
    *to++ = static_cast<char>(byte);
  }
  out.resize(static_cast<std::size_t>(to - out.data()));
  return true;
}

}  // namespace hangar
