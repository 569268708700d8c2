#include "text/jinja/access.h"

#include <algorithm>

#include "text/jinja/heap.h"
#include "text/jinja/methods.h"
#include "text/jinja/objects.h"
#include "text/jinja/text_form.h"
#include "text/jinja/unicode.h"

namespace hangar::jinja {
namespace {

std::string object_name(const Value& value) {
  if (value.is_none()) return "None";
  return fmt::format("{} object", type_name(value));
}

Value missing(Heap& heap, const Value& base, const Value& key) {
  if (key.is_string()) {
    return heap.undefined(fmt::format("'{}' has no attribute {}", object_name(base),
                                      string_repr(start_of(key.as_text(), 200))));
  }
  std::string text;
  append_repr(heap, text, key);
  return heap.undefined(fmt::format("{} has no element {}", object_name(base), text));
}

std::optional<Value> find_attribute(Heap& heap, const Value& base, std::string_view name) {
  if (name.starts_with('_') || is_mutating_method(base, name)) {
    return heap.undefined(
        fmt::format("access to attribute '{}' of '{}' object is unsafe.", name, type_name(base)));
  }
  if (base.is(Kind::kObject)) return base.as_object()->attribute(heap, name);
  if (base.is_list() && base.as_list().flavor == ListFlavor::kGroup) {
    if (name == "grouper") return base.as_list().items[0];
    if (name == "list") return base.as_list().items[1];
  }
  if (const Method method = find_method(base, name)) {
    return Value::object(heap.make<BoundMethod>(base, std::string(name), method));
  }
  return std::nullopt;
}

const Value* find_element(Heap& heap, const Value& base, const Value& key, Value& character) {
  if (base.is_dict()) {
    const bool hashable = !key.is_dict() && !(key.is_list() && !key.as_list().is_tuple());
    return hashable ? base.as_dict().find(key) : nullptr;
  }
  if (!key.is_integral()) return nullptr;
  std::int64_t index = key.as_int();
  if (base.is_list() && base.as_list().has_subscript()) {
    const auto& items = base.as_list().items;
    const auto size = static_cast<std::int64_t>(items.size());
    if (index < 0) index += size;
    if (index < 0 || index >= size) return nullptr;
    return &items[static_cast<std::size_t>(index)];
  }
  if (base.is_string()) {
    const std::string_view text = base.as_text();
    heap.meter().scan(text.size());
    if (index < 0) index += static_cast<std::int64_t>(count_code_points(text));
    if (index < 0) return nullptr;
    const std::size_t begin = offset_of_code_point(text, static_cast<std::size_t>(index));
    if (begin >= text.size()) return nullptr;
    std::size_t end = begin;
    next_code_point(text, end);
    character = heap.string(text.substr(begin, end - begin), base.is_markup());
    return &character;
  }
  return nullptr;
}

struct Range {
  std::int64_t start, stop, step;
};

std::int64_t slice_bound(const Value& value, std::int64_t size, std::int64_t low,
                         std::int64_t high) {
  std::int64_t bound = value.as_int();
  if (bound < 0) bound = bound < -size ? low : bound + size;
  return std::clamp(bound, low, high);
}

Range slice_range(const Value& start, const Value& stop, const Value& step, std::int64_t size) {
  for (const Value* part : {&start, &stop, &step}) {
    if (part->is_undefined()) fail_type("{}", part->undefined_message());
    if (!part->is_none() && !part->is_integral()) {
      fail_type("slice indices must be integers or None or have an __index__ method");
    }
  }
  Range range = {0, size, step.is_none() ? 1 : step.as_int()};
  if (range.step == 0) fail_type("slice step cannot be zero");
  range.step = std::clamp<std::int64_t>(range.step, -size - 1, size + 1);
  const bool down = range.step < 0;
  const std::int64_t low = down ? -1 : 0;
  const std::int64_t high = down ? size - 1 : size;
  range.start = start.is_none() ? (down ? high : 0) : slice_bound(start, size, low, high);
  range.stop = stop.is_none() ? (down ? -1 : size) : slice_bound(stop, size, low, high);
  return range;
}

template <typename Take>
void for_range(const Range& range, Take take) {
  for (std::int64_t i = range.start; range.step > 0 ? i < range.stop : i > range.stop;
       i += range.step) {
    take(static_cast<std::size_t>(i));
  }
}

Value slice_text(Heap& heap, const Value& base, const Value& start, const Value& stop,
                 const Value& step) {
  const std::string_view text = base.as_text();
  heap.meter().scan(text.size());
  const std::size_t size = count_code_points(text);
  const Range range = slice_range(start, stop, step, static_cast<std::int64_t>(size));
  if (range.step == 1) {
    if (range.start >= range.stop) return heap.string("");
    const std::size_t begin = offset_of_code_point(text, static_cast<std::size_t>(range.start));
    const std::size_t count = static_cast<std::size_t>(range.stop - range.start);
    const std::size_t bytes = offset_of_code_point(text.substr(begin), count);
    return heap.string(text.substr(begin, bytes), base.is_markup());
  }
  heap.meter().check_room(size * sizeof(std::string_view));
  const auto pieces = split_code_points(text);
  std::string out;
  for_range(range, [&](std::size_t i) { out += pieces[i]; });
  return heap.string(std::move(out), base.is_markup());
}

}  // namespace

Value get_attribute(Heap& heap, const Value& base, std::string_view name) {
  if (base.is_undefined()) fail_type("{}", base.undefined_message());
  if (std::optional<Value> found = find_attribute(heap, base, name)) return *std::move(found);
  if (base.is_dict()) {
    if (const Value* found = base.as_dict().find(name)) return *found;
  }
  return heap.undefined(fmt::format("'{}' has no attribute '{}'", object_name(base), name));
}

Value get_item(Heap& heap, const Value& base, const Value& key) {
  if (base.is_undefined()) fail_type("{}", base.undefined_message());
  Value character;
  if (const Value* found = find_element(heap, base, key, character)) return *found;
  if (key.is_string()) {
    if (std::optional<Value> found = find_attribute(heap, base, key.as_text())) {
      return *std::move(found);
    }
  }
  return missing(heap, base, key);
}

Value get_slice(Heap& heap, const Value& base, const Value& start, const Value& stop,
                const Value& step) {
  if (base.is_undefined()) fail_type("{}", base.undefined_message());
  if (base.is_string()) return slice_text(heap, base, start, stop, step);
  if (base.is_list() && base.as_list().has_subscript()) {
    const ListRep& list = base.as_list();
    const Range range =
        slice_range(start, stop, step, static_cast<std::int64_t>(list.items.size()));
    heap.meter().step(1 + list.items.size() / 8);
    heap.meter().check_room(list.items.size() * sizeof(Value));
    std::vector<Value> items;
    for_range(range, [&](std::size_t i) { items.push_back(list.items[i]); });
    return heap.list(std::move(items), list.is_tuple() ? ListFlavor::kTuple : ListFlavor::kList);
  }
  // A slice goes past Jinja2's softness: it is Python's own subscript.
  if (base.is_dict()) fail_type("unhashable type: 'slice'");
  fail_type("'{}' object is not subscriptable", type_name(base));
}

std::shared_ptr<const ListRep> iterate(Heap& heap, const Value& value) {
  std::vector<Value> items;
  switch (value.kind()) {
    case Kind::kList:
      return value.list_pointer();
    case Kind::kUndefined:
      break;
    case Kind::kString:
      heap.meter().scan(value.as_text().size());
      for (const std::string_view piece : split_code_points(value.as_text())) {
        items.push_back(heap.string(piece));  // of markup as well: Python's str gives plain ones
      }
      break;
    case Kind::kDict:
      for (const auto& [key, item] : value.as_dict().entries()) items.push_back(key);
      break;
    default:
      fail_type("'{}' object is not iterable", type_name(value));
  }
  return heap.list(std::move(items)).list_pointer();
}

bool is_iterable(const Value& value) {
  return value.is_list() || value.is_string() || value.is_dict() || value.is_undefined();
}

std::int64_t length_of(Heap& heap, const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return 0;
    case Kind::kString:
      heap.meter().scan(value.as_text().size());
      return static_cast<std::int64_t>(count_code_points(value.as_text()));
    case Kind::kDict:
      return static_cast<std::int64_t>(value.as_dict().entries().size());
    case Kind::kList:
      if (value.as_list().has_length()) {
        return static_cast<std::int64_t>(value.as_list().items.size());
      }
      break;
    case Kind::kObject:
      if (const auto length = value.as_object()->length(heap)) return *length;
      break;
    default:
      break;
  }
  fail_type("object of type '{}' has no len()", type_name(value));
}

Value call_value(Heap& heap, const Value& callee, const Args& args) {
  heap.meter().step();
  if (callee.is_undefined()) fail_type("{}", callee.undefined_message());
  if (!callee.is(Kind::kObject)) fail_type("'{}' object is not callable", type_name(callee));
  return callee.as_object()->call(heap, args);
}

Value get_path(Heap& heap, Value base, const Value& path, const Value* otherwise) {
  const auto take = [&](const Value& key) {
    base = get_item(heap, base, key);
    if (otherwise != nullptr && base.is_undefined()) base = *otherwise;
  };
  if (path.is_none()) return base;
  if (!path.is_string()) {
    take(path);
    return base;
  }
  std::string_view rest = path.as_text();
  while (true) {
    const std::size_t dot = rest.find('.');
    const std::string_view part = rest.substr(0, dot);
    const bool digits =
        !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos;
    const auto index = digits ? parse_int(part, 10) : std::nullopt;
    take(index ? Value::integer(*index) : heap.string(part));
    if (dot == std::string_view::npos) return base;
    rest.remove_prefix(dot + 1);
  }
}

}  // namespace hangar::jinja
