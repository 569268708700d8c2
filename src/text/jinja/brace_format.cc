#include "text/jinja/brace_format.h"

#include <optional>

#include "text/jinja/access.h"
#include "text/jinja/format_spec.h"
#include "text/jinja/heap.h"
#include "text/jinja/text_form.h"
#include "text/jinja/unicode.h"

namespace hangar::jinja {
namespace {

class BraceFormatter {
 public:
  BraceFormatter(Heap& heap, const Args& args) : heap_(heap), args_(args) {}

  std::string run(std::string_view format, int level) {
    if (level > 2) fail_type("Max string recursion exceeded");
    std::string out;
    std::size_t place = 0;
    while (place < format.size()) {
      const std::size_t brace = format.find_first_of("{}", place);
      heap_.append(out, format.substr(place, brace - place));
      if (brace == std::string_view::npos) break;
      const char c = format[brace];
      if (brace + 1 < format.size() && format[brace + 1] == c) {
        heap_.append(out, format.substr(brace, 1));
        place = brace + 2;
        continue;
      }
      if (c == '}') fail_type("Single '}}' encountered in format string");
      const std::size_t end = end_of_field(format, brace + 1);
      heap_.append(out, field(format.substr(brace + 1, end - brace - 1), level));
      place = end + 1;
    }
    return out;
  }

 private:
  static std::size_t end_of_field(std::string_view format, std::size_t place) {
    int depth = 1;
    for (; place < format.size(); ++place) {
      if (format[place] == '{') ++depth;
      if (format[place] == '}' && --depth == 0) return place;
    }
    fail_type("expected '}}' before end of string");
  }

  std::string field(std::string_view text, int level) {
    std::size_t end = 0;
    bool in_brackets = false;
    while (end < text.size() && (in_brackets || (text[end] != '!' && text[end] != ':'))) {
      if (text[end] == '[') in_brackets = true;
      if (text[end] == ']') in_brackets = false;
      ++end;
    }
    Value value = look_up(text.substr(0, end));
    std::string_view rest = text.substr(end);
    if (rest.starts_with('!')) {
      if (rest.size() < 2) fail_type("end of string while looking for conversion specifier");
      value = converted(value, rest[1]);
      rest.remove_prefix(2);
      if (!rest.empty() && rest[0] != ':') fail_type("expected ':' after conversion specifier");
    }
    if (rest.empty()) return format_value(heap_, value, {});
    return format_value(heap_, value, run(rest.substr(1), level + 1));
  }

  Value converted(const Value& value, char conversion) {
    std::string text;
    if (conversion == 's') {
      append_text(heap_, text, value);
    } else if (conversion == 'r' || conversion == 'a') {
      append_repr(heap_, text, value);
    } else {
      fail_type("Unknown conversion specifier {}", std::string(1, conversion));
    }
    return heap_.string(std::move(text));
  }

  Value look_up(std::string_view path) {
    const std::size_t end = path.find_first_of(".[");
    Value value = first(path.substr(0, end));
    std::string_view rest = end == std::string_view::npos ? std::string_view() : path.substr(end);
    while (!rest.empty()) {
      if (rest[0] == '.') {
        const std::size_t stop = rest.find_first_of(".[", 1);
        value = get_attribute(heap_, value, rest.substr(1, stop - 1));
        rest = stop == std::string_view::npos ? std::string_view() : rest.substr(stop);
      } else {
        const std::size_t stop = rest.find(']');
        if (rest[0] != '[' || stop == std::string_view::npos)
          fail_type("Missing ']' in format string");
        value = get_item(heap_, value, element(rest.substr(1, stop - 1)));
        rest.remove_prefix(stop + 1);
      }
    }
    return value;
  }

  Value element(std::string_view text) {
    const auto index = index_of(text);
    return index ? Value::integer(*index) : heap_.string(text);
  }

  static std::optional<std::int64_t> index_of(std::string_view text) {
    if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) {
      return std::nullopt;
    }
    return parse_int(text, 10);
  }

  Value first(std::string_view name) {
    const auto index = index_of(name);
    if (name.empty() || index) {
      if (index.has_value() == automatic_ && numbered_) {
        fail_type("cannot mix automatic field numbering and manual field specification");
      }
      numbered_ = true;
      automatic_ = name.empty();
      const std::size_t place = index ? static_cast<std::size_t>(*index) : next_++;
      if (place >= args_.positional.size()) {
        fail_type("Replacement index {} out of range for positional args tuple", place);
      }
      return args_.positional[place];
    }
    for (const auto& [key, value] : args_.named) {
      if (key == name) return value;
    }
    fail_type("no argument '{}' for the format", start_of(name, 100));
  }

  Heap& heap_;
  const Args& args_;
  std::size_t next_ = 0;
  bool numbered_ = false;
  bool automatic_ = false;
};

}  // namespace

std::string brace_format(Heap& heap, std::string_view format, const Args& args) {
  return BraceFormatter(heap, args).run(format, 0);
}

}  // namespace hangar::jinja
