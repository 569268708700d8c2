// Text in ASCII, as protocols and file names have it.
//
// Promise: ascii_lower gives the text with A to Z as a to z; all other bytes stay, whatever the
//   locale.
// Threads: pure.
#pragma once

#include <string>
#include <string_view>

namespace hangar {

inline std::string ascii_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

}  // namespace hangar
