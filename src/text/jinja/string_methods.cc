// The methods of str, and the table that names them.
#include <algorithm>
#include <array>
#include <functional>

#include "base/html.h"
#include "text/jinja/access.h"
#include "text/jinja/arguments.h"
#include "text/jinja/brace_format.h"
#include "text/jinja/heap.h"
#include "text/jinja/methods.h"
#include "text/jinja/operators.h"
#include "text/jinja/text_form.h"
#include "text/jinja/text_tools.h"
#include "text/jinja/unicode.h"

namespace hangar::jinja {
namespace {

// A result that keeps the markup of the string it came from.
Value alike(Heap& heap, const Value& self, std::string_view text) {
  return heap.string(text, self.is_markup());
}

// An argument as a string with markup would take it: escaped.
std::string argument_text(const Value& self, const Arguments& given, std::size_t index) {
  const std::string_view text = given.text(index);
  if (self.is_markup() && !given.at(index).is_markup()) return escape_html(text);
  return std::string(text);
}

template <std::string (*Change)(std::string_view)>
Value changed(Heap& heap, const Value& self, const Args& args) {
  Arguments(args, "method", {});
  heap.meter().check_room(self.as_text().size() * 3);
  return alike(heap, self, Change(self.as_text()));
}

enum class Side : std::uint8_t { kLeft, kRight, kBoth };

template <Side kSide>
Value strip(Heap& heap, const Value& self, const Args& args) {
  const Arguments given(args, "strip", {"chars"});
  const bool white_space = !given.given(0);
  const std::string_view chars = white_space ? std::string_view() : given.text(0);
  std::string_view text = self.as_text();
  heap.meter().scan(text.size() * (1 + chars.size() / 8));
  if (kSide != Side::kRight) text = strip_left(text, chars, white_space);
  if (kSide != Side::kLeft) text = strip_right(text, chars, white_space);
  return alike(heap, self, text);
}

Value list_of(Heap& heap, const Value& self, const std::vector<std::string_view>& pieces) {
  heap.meter().check_room(pieces.size() * (sizeof(Value) + sizeof(StringRep)));
  std::vector<Value> items;
  items.reserve(pieces.size());
  for (const std::string_view piece : pieces) items.push_back(alike(heap, self, piece));
  return heap.list(std::move(items));
}

template <bool kFromRight>
Value split(Heap& heap, const Value& self, const Args& args) {
  const Arguments given(args, "split", {"sep", "maxsplit"});
  const std::string_view text = self.as_text();
  const std::int64_t most = given.integer_or(1, -1);
  heap.meter().scan(text.size());
  if (!given.given(0)) return list_of(heap, self, split_white_space(text, most, kFromRight));
  if (given.text(0).empty()) fail_type("empty separator");
  return list_of(heap, self, split_at(text, given.text(0), most, kFromRight));
}

Value split_into_lines(Heap& heap, const Value& self, const Args& args) {
  const Arguments given(args, "splitlines", {"keepends"});
  heap.meter().scan(self.as_text().size());
  return list_of(heap, self, split_lines(self.as_text(), given.truth_or(0, false)));
}

template <bool kFromRight>
Value partition(Heap& heap, const Value& self, const Args& args) {
  const Arguments given(args, "partition", {"sep"}, 1);
  const std::string_view text = self.as_text();
  const std::string_view separator = given.text(0);
  if (separator.empty()) fail_type("empty separator");
  heap.meter().scan(text.size());
  const std::size_t place = kFromRight ? text.rfind(separator) : text.find(separator);
  std::array<std::string_view, 3> parts = {text, {}, {}};
  if (place != std::string_view::npos) {
    parts = {text.substr(0, place), separator, text.substr(place + separator.size())};
  } else if (kFromRight) {
    parts = {std::string_view(), {}, text};
  }
  std::vector<Value> items;
  for (const std::string_view part : parts) items.push_back(alike(heap, self, part));
  return heap.list(std::move(items), ListFlavor::kTuple);
}

// The part of self between the optional arguments start and end, and where it begins.
struct Window {
  std::string_view text;
  std::int64_t start = 0;
  bool valid = true;  // false: start lies behind the end
};

Window window_of(const Value& self, const Arguments& given) {
  Window window{self.as_text()};
  if (!given.given(1) && !given.given(2)) return window;
  const auto size = static_cast<std::int64_t>(count_code_points(window.text));
  const auto bound = [size](std::int64_t place) {
    return std::max<std::int64_t>(place < 0 ? (place < -size ? 0 : place + size) : place, 0);
  };
  const std::int64_t stop = given.given(2) ? std::min(bound(given.integer(2)), size) : size;
  window.start = given.given(1) ? bound(given.integer(1)) : 0;
  window.valid = window.start <= size && window.start <= stop;
  if (!window.valid) {
    window.text = {};
    return window;
  }
  const std::size_t begin =
      offset_of_code_point(window.text, static_cast<std::size_t>(window.start));
  const std::size_t end = offset_of_code_point(window.text, static_cast<std::size_t>(stop));
  window.text = window.text.substr(begin, end - begin);
  return window;
}

template <bool kAtStart>
Value starts_or_ends(Heap& heap, const Value& self, const Args& args) {
  const Arguments given(args, kAtStart ? "startswith" : "endswith", {"prefix", "start", "end"}, 1);
  heap.meter().step();
  const Window window = window_of(self, given);
  const auto matches = [&](const Value& piece) {
    if (!piece.is_string()) {
      fail_type("{} first arg must be str or a tuple of str, not {}",
                kAtStart ? "startswith" : "endswith", type_name(piece));
    }
    return window.valid && (kAtStart ? window.text.starts_with(piece.as_text())
                                     : window.text.ends_with(piece.as_text()));
  };
  if (given.at(0).is_list() && given.at(0).as_list().is_tuple()) {
    for (const Value& piece : given.at(0).as_list().items) {
      heap.meter().step();
      if (matches(piece)) return Value::boolean(true);
    }
    return Value::boolean(false);
  }
  return Value::boolean(matches(given.at(0)));
}

template <bool kFromRight>
std::int64_t find_place(Heap& heap, const Value& self, const Args& args) {
  const Arguments given(args, "find", {"sub", "start", "end"}, 1);
  heap.meter().scan(self.as_text().size());
  const Window window = window_of(self, given);
  if (!window.valid) return -1;
  const std::size_t place =
      kFromRight ? window.text.rfind(given.text(0)) : window.text.find(given.text(0));
  if (place == std::string_view::npos) return -1;
  return window.start + static_cast<std::int64_t>(count_code_points(window.text.substr(0, place)));
}

template <bool kFromRight>
Value find(Heap& heap, const Value& self, const Args& args) {
  return Value::integer(find_place<kFromRight>(heap, self, args));
}

template <bool kFromRight>
Value index(Heap& heap, const Value& self, const Args& args) {
  const std::int64_t place = find_place<kFromRight>(heap, self, args);
  if (place < 0) fail_type("substring not found");
  return Value::integer(place);
}

Value count(Heap& heap, const Value& self, const Args& args) {
  const Arguments given(args, "count", {"sub", "start", "end"}, 1);
  heap.meter().scan(self.as_text().size());
  const Window window = window_of(self, given);
  if (!window.valid) return Value::integer(0);
  return Value::integer(static_cast<std::int64_t>(count_of(window.text, given.text(0))));
}

Value replace(Heap& heap, const Value& self, const Args& args) {
  const Arguments given(args, "replace", {"old", "new", "count"}, 2);
  return alike(heap, self,
               replace_all(heap, self.as_text(), argument_text(self, given, 0),
                           argument_text(self, given, 1), given.integer_or(2, -1)));
}

Value join(Heap& heap, const Value& self, const Args& args) {
  const Arguments given(args, "join", {"iterable"}, 1);
  std::string out;
  std::size_t place = 0;
  const auto source = iterate(heap, given.at(0));
  for (const Value& item : source->items) {
    if (!item.is_string() && !self.is_markup()) {
      fail_type("sequence item {}: expected str instance, {} found", place, type_name(item));
    }
    if (place++ != 0) heap.append(out, self.as_text());
    const bool escaped = self.is_markup() && !item.is_markup();
    heap.append(out, escaped ? escape_html(to_text(heap, item)) : to_text(heap, item));
  }
  return alike(heap, self, out);
}

template <bool kPrefix>
Value remove_affix(Heap& heap, const Value& self, const Args& args) {
  const Arguments given(args, kPrefix ? "removeprefix" : "removesuffix", {"affix"}, 1);
  std::string_view text = self.as_text();
  const std::string_view affix = given.text(0);
  if (kPrefix && text.starts_with(affix)) text.remove_prefix(affix.size());
  if (!kPrefix && text.ends_with(affix)) text.remove_suffix(affix.size());
  return alike(heap, self, text);
}

template <Side kSide>
Value justify(Heap& heap, const Value& self, const Args& args) {
  const Arguments given(args, "justify", {"width", "fillchar"}, 1);
  const std::string_view fill = given.has(1) ? given.text(1) : std::string_view(" ");
  if (count_code_points(fill) != 1) {
    fail_type("The fill character must be exactly one character long");
  }
  const std::int64_t size = length_of(heap, self);
  const std::int64_t space = std::max<std::int64_t>(given.integer(0) - size, 0);
  std::int64_t left = 0;
  if (kSide == Side::kRight) left = space;  // padded on the left: rjust
  // CPython's own rounding: the odd space goes left when the width is odd too.
  if (kSide == Side::kBoth) left = space / 2 + (space & given.integer(0) & 1);
  return alike(heap, self,
               pad(heap, self.as_text(), fill, static_cast<std::size_t>(left),
                   static_cast<std::size_t>(space - left)));
}

Value fill_zeros(Heap& heap, const Value& self, const Args& args) {
  const Arguments given(args, "zfill", {"width"}, 1);
  std::string_view text = self.as_text();
  const std::int64_t space = std::max<std::int64_t>(given.integer(0) - length_of(heap, self), 0);
  std::string_view sign;
  if (text.starts_with('-') || text.starts_with('+')) {
    sign = text.substr(0, 1);
    text.remove_prefix(1);
  }
  const std::string padded = pad(heap, text, "0", static_cast<std::size_t>(space), 0);
  return alike(heap, self, std::string(sign) + padded);
}

Value expand_tabs(Heap& heap, const Value& self, const Args& args) {
  const Arguments given(args, "expandtabs", {"tabsize"});
  const std::int64_t size = std::max<std::int64_t>(given.integer_or(0, 8), 0);
  std::string out;
  std::int64_t column = 0;
  for (const std::string_view piece : split_code_points(self.as_text())) {
    if (piece == "\t") {
      const std::int64_t spaces = size == 0 ? 0 : size - column % size;
      heap.append(out, pad(heap, "", " ", static_cast<std::size_t>(spaces), 0));
      column += spaces;
    } else {
      heap.append(out, piece);
      column = piece == "\n" || piece == "\r" ? 0 : column + 1;
    }
  }
  return alike(heap, self, out);
}

// True where the string has a code point, and all have the property.
template <bool (*HasProperty)(char32_t)>
Value all_are(Heap& heap, const Value& self, const Args& args) {
  Arguments(args, "is", {});
  const std::string_view text = self.as_text();
  heap.meter().scan(text.size());
  std::size_t offset = 0;
  while (offset < text.size()) {
    if (!HasProperty(next_code_point(text, offset))) return Value::boolean(false);
  }
  return Value::boolean(!text.empty());
}

bool is_alphanumeric(char32_t c) {
  return c != '_' && is_name_part(c);
}
bool is_ascii(char32_t c) {
  return c < 0x80;
}

template <bool (*IsCase)(std::string_view)>
Value has_case(Heap& heap, const Value& self, const Args& args) {
  Arguments(args, "is", {});
  heap.meter().scan(self.as_text().size());
  return Value::boolean(IsCase(self.as_text()));
}

Value all_ascii(Heap& heap, const Value& self, const Args& args) {
  if (self.as_text().empty()) return Value::boolean(true);
  return all_are<&is_ascii>(heap, self, args);
}

Value is_title(Heap& heap, const Value& self, const Args& args) {
  Arguments(args, "istitle", {});
  heap.meter().scan(self.as_text().size());
  const bool cased = to_upper(self.as_text()) != to_lower(self.as_text());
  return Value::boolean(cased && to_title_words(self.as_text()) == self.as_text());
}

Value format(Heap& heap, const Value& self, const Args& args) {
  return alike(heap, self, brace_format(heap, self.as_text(), args));
}

Value format_map(Heap& heap, const Value& self, const Args& args) {
  const Arguments given(args, "format_map", {"mapping"}, 1);
  if (!given.at(0).is_dict()) fail_type("format_map() takes a mapping");
  Args named;
  for (const auto& [key, value] : given.at(0).as_dict().entries()) {
    if (key.is_string()) named.named.emplace_back(std::string(key.as_text()), value);
  }
  return alike(heap, self, brace_format(heap, self.as_text(), named));
}

struct StringMethodEntry {
  std::string_view name;
  Method method;
};

constexpr std::array kStringMethods = {
    StringMethodEntry{"strip", &strip<Side::kBoth>},
    StringMethodEntry{"lstrip", &strip<Side::kLeft>},
    StringMethodEntry{"rstrip", &strip<Side::kRight>},
    StringMethodEntry{"split", &split<false>},
    StringMethodEntry{"rsplit", &split<true>},
    StringMethodEntry{"splitlines", &split_into_lines},
    StringMethodEntry{"partition", &partition<false>},
    StringMethodEntry{"rpartition", &partition<true>},
    StringMethodEntry{"startswith", &starts_or_ends<true>},
    StringMethodEntry{"endswith", &starts_or_ends<false>},
    StringMethodEntry{"replace", &replace},
    StringMethodEntry{"upper", &changed<&to_upper>},
    StringMethodEntry{"lower", &changed<&to_lower>},
    StringMethodEntry{"casefold", &changed<&to_lower>},
    StringMethodEntry{"title", &changed<&to_title_words>},
    StringMethodEntry{"capitalize", &changed<&to_title_first>},
    StringMethodEntry{"swapcase", &changed<&swap_case>},
    StringMethodEntry{"join", &join},
    StringMethodEntry{"format", &format},
    StringMethodEntry{"format_map", &format_map},
    StringMethodEntry{"find", &find<false>},
    StringMethodEntry{"rfind", &find<true>},
    StringMethodEntry{"index", &index<false>},
    StringMethodEntry{"rindex", &index<true>},
    StringMethodEntry{"count", &count},
    StringMethodEntry{"removeprefix", &remove_affix<true>},
    StringMethodEntry{"removesuffix", &remove_affix<false>},
    StringMethodEntry{"ljust", &justify<Side::kLeft>},
    StringMethodEntry{"rjust", &justify<Side::kRight>},
    StringMethodEntry{"center", &justify<Side::kBoth>},
    StringMethodEntry{"zfill", &fill_zeros},
    StringMethodEntry{"expandtabs", &expand_tabs},
    StringMethodEntry{"isalpha", &all_are<&is_letter>},
    StringMethodEntry{"isdigit", &all_are<&is_digit>},
    StringMethodEntry{"isdecimal", &all_are<&is_digit>},
    StringMethodEntry{"isnumeric", &all_are<&is_digit>},
    StringMethodEntry{"isalnum", &all_are<&is_alphanumeric>},
    StringMethodEntry{"isspace", &all_are<&is_space>},
    StringMethodEntry{"isascii", &all_ascii},
    StringMethodEntry{"isupper", &has_case<&is_upper_text>},
    StringMethodEntry{"islower", &has_case<&is_lower_text>},
    StringMethodEntry{"istitle", &is_title},
};

}  // namespace

Method find_string_method(std::string_view name) {
  for (const StringMethodEntry& entry : kStringMethods) {
    if (entry.name == name) return entry.method;
  }
  return nullptr;
}

}  // namespace hangar::jinja
