#include "text/jinja/text_tools.h"

#include <algorithm>

#include "text/jinja/heap.h"
#include "text/jinja/unicode.h"

namespace hangar::jinja {
namespace {

// How many bytes at the front (or, from the right, at the back) hold no white space.
std::size_t word_size(std::string_view text, bool from_right) {
  std::size_t offset = 0;
  std::size_t after_last_space = 0;
  while (offset < text.size()) {
    const std::size_t begin = offset;
    if (!is_space(next_code_point(text, offset))) continue;
    if (!from_right) return begin;
    after_last_space = offset;
  }
  return text.size() - after_last_space;
}

bool all_cased_are(std::string_view text, bool upper) {
  bool found = false;
  std::size_t offset = 0;
  while (offset < text.size()) {
    const char32_t c = next_code_point(text, offset);
    if (upper ? is_lower_case(c) : is_upper_case(c)) return false;
    found = found || (upper ? is_upper_case(c) : is_lower_case(c));
  }
  return found;
}

}  // namespace

std::vector<std::string_view> split_white_space(std::string_view text, std::int64_t most,
                                                bool from_right) {
  std::vector<std::string_view> pieces;
  if (!from_right || most < 0) {
    text = strip_left(text, {}, true);
    while (!text.empty()) {
      if (most >= 0 && static_cast<std::int64_t>(pieces.size()) == most) {
        pieces.push_back(text);  // the rest, with what stands at its end
        return pieces;
      }
      const std::size_t size = word_size(text, false);
      pieces.push_back(text.substr(0, size));
      text = strip_left(text.substr(size), {}, true);
    }
    return pieces;
  }
  text = strip_right(text, {}, true);
  while (!text.empty()) {
    if (static_cast<std::int64_t>(pieces.size()) == most) {
      pieces.push_back(text);
      break;
    }
    // Search backwards only as far as one word: a short look at a time.
    std::size_t begin = text.size();
    while (begin > 0) {
      const std::string_view shorter = strip_right(text.substr(0, begin), {}, true);
      if (shorter.size() != begin) break;
      do {
        --begin;
      } while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0U) == 0x80U);
    }
    pieces.push_back(text.substr(begin));
    text = strip_right(text.substr(0, begin), {}, true);
  }
  std::reverse(pieces.begin(), pieces.end());
  return pieces;
}

std::vector<std::string_view> split_at(std::string_view text, std::string_view separator,
                                       std::int64_t most, bool from_right) {
  std::vector<std::string_view> pieces;
  while (most < 0 || static_cast<std::int64_t>(pieces.size()) < most) {
    const std::size_t place = from_right ? text.rfind(separator) : text.find(separator);
    if (place == std::string_view::npos) break;
    const std::size_t end = place + separator.size();
    pieces.push_back(from_right ? text.substr(end) : text.substr(0, place));
    text = from_right ? text.substr(0, place) : text.substr(end);
  }
  pieces.push_back(text);
  if (from_right) std::reverse(pieces.begin(), pieces.end());
  return pieces;
}

std::string replace_all(Heap& heap, std::string_view text, std::string_view from,
                        std::string_view to, std::int64_t most) {
  std::string out;
  std::int64_t done = 0;
  std::size_t offset = 0;
  const auto may = [&] { return most < 0 || done < most; };
  if (from.empty()) {
    while (may()) {
      heap.append(out, to);
      ++done;
      if (offset >= text.size()) return out;
      const std::size_t begin = offset;
      next_code_point(text, offset);
      heap.append(out, text.substr(begin, offset - begin));
    }
  }
  while (may() && !from.empty()) {
    const std::size_t place = text.find(from, offset);
    if (place == std::string_view::npos) break;
    heap.append(out, text.substr(offset, place - offset));
    heap.append(out, to);
    offset = place + from.size();
    ++done;
  }
  heap.append(out, text.substr(offset));
  return out;
}

std::size_t count_of(std::string_view text, std::string_view piece) {
  if (piece.empty()) return count_code_points(text) + 1;
  std::size_t count = 0;
  for (std::size_t place = text.find(piece); place != std::string_view::npos;
       place = text.find(piece, place + piece.size())) {
    ++count;
  }
  return count;
}

std::string pad(Heap& heap, std::string_view text, std::string_view fill, std::size_t left,
                std::size_t right) {
  const std::size_t most = heap.meter().limits().memory_bytes;
  if (left > most || right > most) heap.meter().check_room(std::max(left, right));
  const std::size_t bytes = text.size() + (left + right) * fill.size();
  heap.meter().check_room(bytes);
  heap.meter().scan(bytes);
  std::string out;
  for (std::size_t i = 0; i < left; ++i) out += fill;
  out += text;
  for (std::size_t i = 0; i < right; ++i) out += fill;
  return out;
}

bool is_upper_text(std::string_view text) {
  return all_cased_are(text, true);
}
bool is_lower_text(std::string_view text) {
  return all_cased_are(text, false);
}

}  // namespace hangar::jinja
