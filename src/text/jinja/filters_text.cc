// Filters on text.
#include <algorithm>

#include "base/html.h"
#include "text/jinja/access.h"
#include "text/jinja/arguments.h"
#include "text/jinja/filters.h"
#include "text/jinja/heap.h"
#include "text/jinja/operators.h"
#include "text/jinja/percent_format.h"
#include "text/jinja/text_form.h"
#include "text/jinja/text_tools.h"
#include "text/jinja/unicode.h"

namespace hangar::jinja::filters {
namespace {

// A string stays what it is; anything else becomes str(value).
Value soft_text(Heap& heap, const Value& input) {
  return input.is_string() ? input : heap.string(to_text(heap, input));
}

Value changed(Heap& heap, const Value& input, std::string (*change)(std::string_view)) {
  const Value text = soft_text(heap, input);
  heap.meter().check_room(text.as_text().size() * 3);
  return heap.string(change(text.as_text()), text.is_markup());
}

// Words begin after white space and after opening marks.
bool begins_word_after(char32_t c) {
  return c == '-' || c == '(' || c == '{' || c == '[' || c == '<' || is_space(c);
}

std::string title_text(std::string_view text) {
  std::string out;
  std::size_t start = 0;
  std::size_t offset = 0;
  const auto flush = [&](std::size_t end) {
    const std::string_view word = text.substr(start, end - start);
    if (word.empty()) return;
    std::size_t first = 0;
    next_code_point(word, first);
    out += to_upper(word.substr(0, first));
    out += to_lower(word.substr(first));
  };
  while (offset < text.size()) {
    const std::size_t begin = offset;
    if (!begins_word_after(next_code_point(text, offset))) continue;
    flush(begin);
    out += text.substr(begin, offset - begin);
    start = offset;
  }
  flush(text.size());
  return out;
}

std::string_view required_text(const Value& input, std::string_view filter) {
  if (input.is_undefined()) fail_type("{}", input.undefined_message());
  if (!input.is_string()) fail_type("{} takes a string, not {}", filter, type_name(input));
  return input.as_text();
}

}  // namespace

Value upper(Heap& heap, const Value& input, const Args& args) {
  Arguments(args, "upper", {});
  return changed(heap, input, &to_upper);
}

Value lower(Heap& heap, const Value& input, const Args& args) {
  Arguments(args, "lower", {});
  return changed(heap, input, &to_lower);
}

Value title(Heap& heap, const Value& input, const Args& args) {
  Arguments(args, "title", {});
  return heap.string(changed(heap, input, &title_text).as_text());
}

Value capitalize(Heap& heap, const Value& input, const Args& args) {
  Arguments(args, "capitalize", {});
  return changed(heap, input, &to_title_first);
}

Value trim(Heap& heap, const Value& input, const Args& args) {
  const Arguments given(args, "trim", {"chars"});
  const Value text = soft_text(heap, input);
  const bool white_space = !given.given(0);
  const std::string_view chars = white_space ? std::string_view() : given.text(0);
  heap.meter().scan(text.as_text().size() * (1 + chars.size() / 8));
  const std::string_view left = strip_left(text.as_text(), chars, white_space);
  return heap.string(strip_right(left, chars, white_space), text.is_markup());
}

Value replace(Heap& heap, const Value& input, const Args& args) {
  const Arguments given(args, "replace", {"old", "new", "count"}, 2);
  const std::int64_t most = given.given(2) ? given.integer(2) : -1;
  return heap.string(replace_all(heap, to_text(heap, input), to_text(heap, given.at(0)),
                                 to_text(heap, given.at(1)), most));
}

Value indent(Heap& heap, const Value& input, const Args& args) {
  const Arguments given(args, "indent", {"width", "first", "blank"});
  const std::string text = std::string(required_text(input, "indent")) + "\n";
  const bool blank = given.truth_or(2, false);
  std::string space = "    ";
  if (given.has(0) && given.at(0).is_string()) {
    space = given.text(0);
  } else if (given.has(0)) {
    const std::int64_t width = std::max<std::int64_t>(given.integer(0), 0);
    space = pad(heap, "", " ", static_cast<std::size_t>(width), 0);
  }
  std::string out;
  if (given.truth_or(1, false)) out = space;
  bool first_line = true;
  for (const std::string_view line : split_lines(text, false)) {
    if (!first_line) {
      heap.append(out, "\n");
      if (blank || !line.empty()) heap.append(out, space);
    }
    first_line = false;
    heap.append(out, line);
  }
  return heap.string(std::move(out), input.is_markup());
}

Value center(Heap& heap, const Value& input, const Args& args) {
  const Arguments given(args, "center", {"width"});
  const Value text = soft_text(heap, input);
  const std::int64_t width = given.integer_or(0, 80);
  const std::int64_t space = std::max<std::int64_t>(width - length_of(heap, text), 0);
  const std::int64_t left = space / 2 + (space & width & 1);
  return heap.string(pad(heap, text.as_text(), " ", static_cast<std::size_t>(left),
                         static_cast<std::size_t>(space - left)),
                     text.is_markup());
}

Value truncate(Heap& heap, const Value& input, const Args& args) {
  const Arguments given(args, "truncate", {"length", "killwords", "end", "leeway"});
  const std::int64_t length = given.integer_or(0, 255);
  const std::string_view end = given.has(2) ? given.text(2) : std::string_view("...");
  const std::int64_t leeway = given.given(3) ? given.integer(3) : 5;
  const auto end_size = static_cast<std::int64_t>(count_code_points(end));
  if (length < end_size) fail_type("expected length >= {}, got {}", end_size, length);
  if (leeway < 0) fail_type("expected leeway >= 0, got {}", leeway);
  const std::int64_t size = length_of(heap, input);
  if (size <= length || size - length <= leeway) return input;  // a list as well
  const std::string_view text = required_text(input, "truncate");
  std::string_view kept =
      text.substr(0, offset_of_code_point(text, static_cast<std::size_t>(length - end_size)));
  if (!given.truth_or(1, false)) kept = kept.substr(0, kept.rfind(' '));
  return heap.string(std::string(kept) + std::string(end));
}

Value wordcount(Heap& heap, const Value& input, const Args& args) {
  Arguments(args, "wordcount", {});
  const Value value = soft_text(heap, input);
  const std::string_view text = value.as_text();
  heap.meter().scan(text.size());
  std::int64_t count = 0;
  bool in_word = false;
  std::size_t offset = 0;
  while (offset < text.size()) {
    const bool part = is_name_part(next_code_point(text, offset));
    if (part && !in_word) ++count;
    in_word = part;
  }
  return Value::integer(count);
}

Value format(Heap& heap, const Value& input, const Args& args) {
  if (!args.positional.empty() && !args.named.empty()) {
    fail_type("can't handle positional and keyword arguments at the same time");
  }
  const Value text = soft_text(heap, input);
  if (args.named.empty()) {
    return percent_format(heap, text, heap.list(args.positional, ListFlavor::kTuple));
  }
  const auto names = heap.new_dict();
  for (const auto& [name, value] : args.named)
    names->set(heap.string(std::string_view(name)), value);
  return percent_format(heap, text, Heap::finish(names));
}

Value string(Heap& heap, const Value& input, const Args& args) {
  Arguments(args, "string", {});
  return soft_text(heap, input);
}

Value safe(Heap& heap, const Value& input, const Args& args) {
  Arguments(args, "safe", {});
  return input.is_markup() ? input : heap.string(to_text(heap, input), true);
}

Value escape(Heap& heap, const Value& input, const Args& args) {
  Arguments(args, "escape", {});
  return input.is_markup() ? input : force_escape(heap, input, args);
}

Value force_escape(Heap& heap, const Value& input, const Args& args) {
  Arguments(args, "forceescape", {});
  const std::string text = to_text(heap, input);
  heap.meter().check_room(text.size() * 6);
  return heap.string(escape_html(text), true);
}

}  // namespace hangar::jinja::filters
