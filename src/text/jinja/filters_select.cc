// Filters that call a filter or a test on each item.
#include "text/jinja/access.h"
#include "text/jinja/arguments.h"
#include "text/jinja/filters.h"
#include "text/jinja/heap.h"
#include "text/jinja/is_tests.h"

namespace hangar::jinja::filters {
namespace {

// The arguments behind the first `count`, for the function that is called on each item.
Args without_first(const Args& args, std::size_t count) {
  Args rest;
  rest.positional.assign(args.positional.begin() + static_cast<std::ptrdiff_t>(count),
                         args.positional.end());
  rest.named = args.named;
  return rest;
}

std::string_view name_of(const Value& value) {
  if (!value.is_string()) fail_type("the name of a filter or test must be str");
  return value.as_text();
}

Value choose(Heap& heap, const Value& input, const Args& args, bool by_attribute, bool wanted) {
  std::vector<Value> chosen;
  if (!is_true(input)) return heap.list(std::move(chosen), ListFlavor::kGenerator);
  const std::size_t offset = by_attribute ? 1 : 0;
  if (args.positional.size() < offset) fail_type("Missing parameter for attribute name");
  TestFunction test = nullptr;
  Args rest;
  if (args.positional.size() > offset) {
    const std::string_view name = name_of(args.positional[offset]);
    test = find_test(name);
    if (test == nullptr) fail(ErrorCode::kUnsupported, "No test named '{}'.", name);
    rest = without_first(args, offset + 1);
  }
  const auto source = iterate(heap, input);
  for (const Value& item : source->items) {
    heap.meter().step();
    const Value subject = by_attribute ? get_path(heap, item, args.positional[0]) : item;
    const bool holds = test == nullptr ? is_true(subject) : test(heap, subject, rest);
    if (holds == wanted) chosen.push_back(item);
  }
  return heap.list(std::move(chosen), ListFlavor::kGenerator);
}

}  // namespace

Value map(Heap& heap, const Value& input, const Args& args) {
  std::vector<Value> mapped;
  if (!is_true(input)) return heap.list(std::move(mapped), ListFlavor::kGenerator);
  if (args.positional.empty() && !args.named.empty() && args.named[0].first != "default") {
    const Arguments given(args, "map", {"attribute", "default"}, 1);
    const Value* otherwise = given.given(1) ? &given.at(1) : nullptr;
    const auto source = iterate(heap, input);
    for (const Value& item : source->items) {
      mapped.push_back(get_path(heap, item, given.at(0), otherwise));
    }
    return heap.list(std::move(mapped), ListFlavor::kGenerator);
  }
  if (args.positional.empty()) fail_type("map requires a filter argument");
  const std::string_view name = name_of(args.positional[0]);
  const FilterFunction filter = find_filter(name);
  if (filter == nullptr) fail(ErrorCode::kUnsupported, "No filter named '{}'.", name);
  const Args rest = without_first(args, 1);
  const auto source = iterate(heap, input);
  for (const Value& item : source->items) {
    heap.meter().step();
    mapped.push_back(filter(heap, item, rest));
  }
  return heap.list(std::move(mapped), ListFlavor::kGenerator);
}

Value select(Heap& heap, const Value& input, const Args& args) {
  return choose(heap, input, args, false, true);
}

Value reject(Heap& heap, const Value& input, const Args& args) {
  return choose(heap, input, args, false, false);
}

Value selectattr(Heap& heap, const Value& input, const Args& args) {
  return choose(heap, input, args, true, true);
}

Value rejectattr(Heap& heap, const Value& input, const Args& args) {
  return choose(heap, input, args, true, false);
}

}  // namespace hangar::jinja::filters
