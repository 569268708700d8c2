#include "text/unicode_forms.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <tuple>
#include <vector>

#include "text/character_class.h"
#include "text/utf8.h"

namespace hangar {
namespace {

// What takes part in normalisation only since a Unicode version after 9: see the header.
struct CodePoints {
  char32_t first = 0;
  char32_t last = 0;
};
constexpr std::array kNewer = std::to_array<CodePoints>(
    {{0x7FD, 0x7FD},     {0x897, 0x89F},     {0x8CA, 0x8D3},     {0x9FE, 0x9FE},
     {0xC3C, 0xC3C},     {0xD3B, 0xD3C},     {0xEBA, 0xEBA},     {0x1715, 0x1715},
     {0x1ABF, 0x1ACE},   {0x1DF6, 0x1DFA},   {0x32FF, 0x32FF},   {0xA7F2, 0xA7F4},
     {0xA82C, 0xA82C},   {0xAB69, 0xAB69},   {0x10781, 0x107BA}, {0x10D24, 0x10D27},
     {0x10D69, 0x10D6D}, {0x10EAB, 0x10EAC}, {0x10EFD, 0x10EFF}, {0x10F46, 0x10F50},
     {0x10F82, 0x10F85}, {0x11070, 0x11070}, {0x1133B, 0x1133B}, {0x11380, 0x113E2},
     {0x1145E, 0x1145E}, {0x11839, 0x1183A}, {0x11930, 0x11930}, {0x11938, 0x11938},
     {0x1193D, 0x1193E}, {0x11943, 0x11943}, {0x119E0, 0x119E0}, {0x11A34, 0x11A34},
     {0x11A47, 0x11A47}, {0x11A99, 0x11A99}, {0x11D42, 0x11D42}, {0x11D44, 0x11D45},
     {0x11D97, 0x11D97}, {0x11F41, 0x11F42}, {0x1611E, 0x1612F}, {0x16D63, 0x16D6A},
     {0x16FF0, 0x16FF1}, {0x1E030, 0x1E06D}, {0x1E08F, 0x1E08F}, {0x1E130, 0x1E136},
     {0x1E2AE, 0x1E2AE}, {0x1E2EC, 0x1E2EF}, {0x1E4EC, 0x1E4EF}, {0x1E5EE, 0x1E5EF},
     {0x1F16C, 0x1F16C}, {0x1FBF0, 0x1FBF9}});

bool is_newer(char32_t code_point) {
  if (code_point < kNewer.front().first) return false;
  const auto after =
      std::upper_bound(kNewer.begin(), kNewer.end(), code_point,
                       [](char32_t point, const CodePoints& range) { return point < range.first; });
  return code_point <= std::prev(after)->last;
}

int combining_class(utf8proc_int32_t code_point) {
  return utf8proc_get_property(code_point)->combining_class;
}

std::vector<utf8proc_int32_t> decomposed(std::string_view text, bool compatible) {
  const auto options = static_cast<utf8proc_option_t>(
      compatible ? UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT : UTF8PROC_DECOMPOSE);
  std::vector<utf8proc_int32_t> out;
  out.reserve(text.size());
  std::array<utf8proc_int32_t, 32> parts{};  // a decomposition has at most 18 characters
  while (!text.empty()) {
    const Utf8Unit unit = next_utf8(text);
    text.remove_prefix(unit.bytes);
    const auto code_point = static_cast<utf8proc_int32_t>(unit.code_point);
    int boundary_class = 0;
    const utf8proc_ssize_t count =
        utf8proc_decompose_char(code_point, parts.data(), parts.size(), options, &boundary_class);
    if (count < 0 || count > static_cast<utf8proc_ssize_t>(parts.size())) {
      out.push_back(code_point);
      continue;
    }
    out.insert(out.end(), parts.begin(), parts.begin() + count);
  }
  return out;
}

// Sorts each row of marks by combining class, keeping the order within a class. (utf8proc's own
// reordering is an insertion sort: quadratic where a text is all combining marks.)
void order_marks(std::vector<utf8proc_int32_t>& text) {
  struct Mark {
    int combining_class = 0;
    std::size_t at = 0;
    utf8proc_int32_t code_point = 0;
  };
  std::vector<Mark> row;
  for (std::size_t begin = 0; begin < text.size(); ++begin) {
    row.clear();
    for (std::size_t at = begin; at < text.size(); ++at) {
      const int mark_class = combining_class(text[at]);
      if (mark_class == 0) break;
      row.push_back({.combining_class = mark_class, .at = at, .code_point = text[at]});
    }
    std::sort(row.begin(), row.end(), [](const Mark& a, const Mark& b) {
      return std::tie(a.combining_class, a.at) < std::tie(b.combining_class, b.at);
    });
    for (const Mark& mark : row) text[begin++] = mark.code_point;
  }
}

bool composes(UnicodeForm form) {
  return form == UnicodeForm::kNfc || form == UnicodeForm::kNfkc;
}

bool is_compatible(UnicodeForm form) {
  return form == UnicodeForm::kNfkc || form == UnicodeForm::kNfkd;
}

// Appends the form of `text`, which has no character of kNewer.
void append_form(std::string_view text, UnicodeForm form, std::string& out) {
  if (text.empty()) return;
  std::vector<utf8proc_int32_t> points = decomposed(text, is_compatible(form));
  order_marks(points);
  if (composes(form)) {
    const utf8proc_ssize_t count = utf8proc_normalize_utf32(
        points.data(), static_cast<utf8proc_ssize_t>(points.size()),
        static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
    if (count < 0) {
      out.append(text);
      return;
    }
    points.resize(static_cast<std::size_t>(count));
  }
  for (const utf8proc_int32_t point : points) append_utf8(static_cast<char32_t>(point), out);
}

const CharacterClass& unsettled(UnicodeForm form) {
  static const CharacterClass nfc(nfc_unsettled_ranges());
  static const CharacterClass any(unsettled_ranges());
  return form == UnicodeForm::kNfc ? nfc : any;
}

}  // namespace

bool surely_in_form(std::string_view text, UnicodeForm form) {
  // All below U+0300 is its own NFC; U+0300 begins with the byte 0xCC.
  const std::uint8_t limit = form == UnicodeForm::kNfc ? 0xCC : 0x80;
  return std::all_of(text.begin(), text.end(),
                     [limit](char byte) { return static_cast<std::uint8_t>(byte) < limit; });
}

std::string to_form(std::string_view text, UnicodeForm form) {
  const CharacterClass& may_change = unsettled(form);
  const auto stays = [&](char32_t c) { return !may_change.contains(c); };
  std::string out;
  out.reserve(text.size());
  std::size_t done = 0;      // what has been written
  std::size_t previous = 0;  // where the character before `at` begins
  for (std::size_t at = 0; at < text.size();) {
    Utf8Unit unit = next_utf8(text.substr(at));
    if (stays(unit.code_point)) {
      previous = at;
      at += unit.bytes;
      continue;
    }
    // From the character that a mark may join, up to the next one that joins with none before it.
    std::size_t begin = std::max(done, previous);
    for (; at < text.size(); at += unit.bytes) {
      unit = next_utf8(text.substr(at));
      if (stays(unit.code_point)) break;
    }
    const Utf8Unit first = next_utf8(text.substr(begin));
    if (is_newer(first.code_point)) begin += first.bytes;  // which joins nothing
    out.append(text.substr(done, begin - done));
    append_form(text.substr(begin, at - begin), form, out);
    done = previous = at;
  }
  out.append(text.substr(done));
  return out;
}

}  // namespace hangar
