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
  for (const char byte : bytes)
    append_utf8(spelling_of_byte(static_cast<std::uint8_t>(byte)), spelled);
  return spelled;
}

std::optional<std::string> unspell_bytes(std::string_view spelled) {
  std::string bytes;
  bytes.reserve(spelled.size());
  while (!spelled.empty()) {
    const Utf8Unit unit = next_utf8(spelled);
    if (!unit.valid || unit.code_point >= kCharacters) return std::nullopt;
    const std::int16_t byte = kMaps.byte[unit.code_point];
    if (byte < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(byte));
    spelled.remove_prefix(unit.bytes);
  }
  return bytes;
}

}  // namespace hangar
