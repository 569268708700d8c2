#include "hub/link_header.h"

#include <algorithm>
#include <cstddef>

#include "base/ascii.h"

namespace hangar::hub {
namespace {

void skip_spaces(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
}

// Takes a parameter's value, quoted or not, off the front.
std::string take_value(std::string_view& text) {
  std::string value;
  if (!text.starts_with('"')) {
    const std::size_t end = std::min(text.find_first_of(";, \t"), text.size());
    value = text.substr(0, end);
    text.remove_prefix(end);
    return value;
  }
  std::size_t i = 1;
  for (; i < text.size() && text[i] != '"'; ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    value += text[i];
  }
  text.remove_prefix(std::min(i + 1, text.size()));
  return value;
}

// rel is a list of words: "last next".
bool holds_next(std::string_view rel) {
  const std::string padded = " " + ascii_lower(rel) + " ";
  return padded.find(" next ") != std::string::npos;
}

}  // namespace

std::optional<std::string> next_link(std::string_view header) {
  while (true) {
    header.remove_prefix(std::min(header.find_first_not_of(", \t"), header.size()));
    if (!header.starts_with('<')) return std::nullopt;
    const std::size_t close = header.find('>');
    if (close == std::string_view::npos) return std::nullopt;
    const std::string_view target = header.substr(1, close - 1);
    header.remove_prefix(close + 1);
    bool next = false;
    skip_spaces(header);
    while (header.starts_with(';')) {
      header.remove_prefix(1);
      skip_spaces(header);
      const std::size_t end = std::min(header.find_first_of("=;,"), header.size());
      std::string name = ascii_lower(header.substr(0, end));
      name.resize(name.find_last_not_of(" \t") + 1);
      header.remove_prefix(end);
      if (!header.starts_with('=')) continue;
      header.remove_prefix(1);
      skip_spaces(header);
      const std::string value = take_value(header);
      if (name == "rel" && holds_next(value)) next = true;
      skip_spaces(header);
    }
    if (next && !target.empty()) return std::string(target);
    if (!header.starts_with(',')) return std::nullopt;
  }
}

}  // namespace hangar::hub
