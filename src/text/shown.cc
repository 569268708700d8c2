#include "text/shown.h"

#include <cstdint>

#include "text/stream_decoder.h"

namespace hangar {

std::string shown(std::string_view text) {
  constexpr std::size_t kShownBytes = 60;
  std::string out = to_valid_utf8(text.substr(0, kShownBytes));
  for (char& byte : out) {
    if (static_cast<std::uint8_t>(byte) < 0x20 || byte == 0x7F) byte = '?';
  }
  if (text.size() > kShownBytes) out += "...";
  return out;
}

}  // namespace hangar
