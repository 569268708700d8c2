// Filters that take a sequence as a whole.
#include <algorithm>

#include "text/jinja/access.h"
#include "text/jinja/arguments.h"
#include "text/jinja/filters.h"
#include "text/jinja/heap.h"
#include "text/jinja/operators.h"
#include "text/jinja/text_form.h"
#include "text/jinja/unicode.h"

namespace hangar::jinja::filters {

Value first(Heap& heap, const Value& input, const Args& args) {
  Arguments(args, "first", {});
  const auto list = iterate(heap, input);
  if (list->items.empty()) return heap.undefined("No first item, sequence was empty.");
  return list->items.front();
}

Value last(Heap& heap, const Value& input, const Args& args) {
  Arguments(args, "last", {});
  const auto list = iterate(heap, input);
  if (!list->has_length()) fail_type("'generator' object is not reversible");
  if (list->items.empty()) return heap.undefined("No last item, sequence was empty.");
  return list->items.back();
}

Value length(Heap& heap, const Value& input, const Args& args) {
  Arguments(args, "length", {});
  return Value::integer(length_of(heap, input));
}

Value list(Heap& heap, const Value& input, const Args& args) {
  Arguments(args, "list", {});
  const auto given = iterate(heap, input);
  heap.meter().check_room(given->items.size() * sizeof(Value));
  return heap.list(given->items);
}

Value items(Heap& heap, const Value& input, const Args& args) {
  Arguments(args, "items", {});
  std::vector<Value> pairs;
  if (!input.is_undefined()) {
    if (!input.is_dict()) fail_type("Can only get item pairs from a mapping.");
    for (const auto& [key, value] : input.as_dict().entries()) {
      pairs.push_back(heap.list({key, value}, ListFlavor::kTuple));
    }
  }
  return heap.list(std::move(pairs), ListFlavor::kGenerator);
}

Value reverse(Heap& heap, const Value& input, const Args& args) {
  Arguments(args, "reverse", {});
  if (input.is_string()) {
    heap.meter().check_room(input.as_text().size() * sizeof(std::string_view));
    auto pieces = split_code_points(input.as_text());
    std::string out;
    for (auto piece = pieces.rbegin(); piece != pieces.rend(); ++piece) out += *piece;
    return heap.string(std::move(out), input.is_markup());
  }
  const auto given = iterate(heap, input);
  std::vector<Value> reversed(given->items.rbegin(), given->items.rend());
  return heap.list(std::move(reversed), ListFlavor::kGenerator);
}

Value join(Heap& heap, const Value& input, const Args& args) {
  const Arguments given(args, "join", {"d", "attribute"});
  const std::string separator = given.has(0) ? to_text(heap, given.at(0)) : "";
  std::string out;
  bool first_item = true;
  const auto source = iterate(heap, input);
  for (const Value& item : source->items) {
    if (!first_item) heap.append(out, separator);
    first_item = false;
    append_text(heap, out, given.given(1) ? get_path(heap, item, given.at(1)) : item);
  }
  return heap.string(std::move(out));
}

Value batch(Heap& heap, const Value& input, const Args& args) {
  const Arguments given(args, "batch", {"linecount", "fill_with"}, 1);
  const std::int64_t size = given.integer(0);
  std::vector<Value> rows;
  std::vector<Value> row;
  const auto source = iterate(heap, input);
  for (const Value& item : source->items) {
    if (!row.empty() && static_cast<std::int64_t>(row.size()) == size) {
      rows.push_back(heap.list(std::move(row)));
      row.clear();
    }
    row.push_back(item);
  }
  if (!row.empty()) {
    const std::int64_t missing = size - static_cast<std::int64_t>(row.size());
    if (given.given(1) && missing > 0) {
      heap.meter().check_room(
          static_cast<std::size_t>(std::min<std::int64_t>(missing, std::int64_t{1} << 40)) *
          sizeof(Value));
      heap.meter().step(static_cast<std::uint64_t>(missing));
      row.insert(row.end(), static_cast<std::size_t>(missing), given.at(1));
    }
    rows.push_back(heap.list(std::move(row)));
  }
  return heap.list(std::move(rows), ListFlavor::kGenerator);
}

Value slice(Heap& heap, const Value& input, const Args& args) {
  const Arguments given(args, "slice", {"slices", "fill_with"}, 1);
  const std::int64_t slices = given.integer(0);
  if (slices == 0) fail_type("integer division or modulo by zero");
  const auto list = iterate(heap, input);
  const auto size = static_cast<std::int64_t>(list->items.size());
  std::vector<Value> columns;
  std::int64_t start = 0;
  for (std::int64_t i = 0; i < slices; ++i) {
    heap.meter().step();
    const bool longer = i < size % slices;
    const std::int64_t count = size / slices + (longer ? 1 : 0);
    std::vector<Value> column(list->items.begin() + start, list->items.begin() + start + count);
    if (given.given(1) && !longer) column.push_back(given.at(1));
    start += count;
    columns.push_back(heap.list(std::move(column)));
  }
  return heap.list(std::move(columns), ListFlavor::kGenerator);
}

Value sum(Heap& heap, const Value& input, const Args& args) {
  const Arguments given(args, "sum", {"attribute", "start"});
  Value total = given.value_or(1, Value::integer(0));
  if (total.is_string()) fail_type("sum() can't sum strings [use ''.join(seq) instead]");
  const auto source = iterate(heap, input);
  for (const Value& item : source->items) {
    total = binary(heap, BinaryOp::kAdd, total,
                   given.given(0) ? get_path(heap, item, given.at(0)) : item);
  }
  return total;
}

}  // namespace hangar::jinja::filters
