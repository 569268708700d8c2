#include "formats/hf/model_card.h"

#include <algorithm>

#include "formats/gguf/cursor.h"

namespace hangar::hf {
namespace {

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// The next line, taken off `text`.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

// The value of "key: value" at the start of a line; "" where it is another key or a list.
std::string_view value_of(std::string_view line, std::string_view key) {
  if (!line.starts_with(key) || line.substr(key.size(), 1) != ":") return {};
  std::string_view value = trim(line.substr(key.size() + 1));
  if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') &&
      value.back() == value.front()) {
    value = value.substr(1, value.size() - 2);
  }
  return value;
}

}  // namespace

std::string license_of(std::string_view readme) {
  constexpr std::size_t kMaxBytes = 100;
  if (readme.starts_with("\xEF\xBB\xBF")) readme.remove_prefix(3);
  if (trim(take_line(readme)) != "---") return "";
  std::string_view license;
  std::string_view name;
  while (!readme.empty()) {
    const std::string_view line = take_line(readme);
    if (trim(line) == "---") break;
    if (const std::string_view value = value_of(line, "license"); !value.empty()) license = value;
    if (const std::string_view value = value_of(line, "license_name"); !value.empty()) name = value;
  }
  const bool named = !name.empty() && (license.empty() || license == "other");
  return gguf::printable(named ? name : license, kMaxBytes);
}

}  // namespace hangar::hf
