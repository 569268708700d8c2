// Filters that compare items: sort, unique, groupby, min, max.
#include <algorithm>

#include "text/jinja/access.h"
#include "text/jinja/arguments.h"
#include "text/jinja/filters.h"
#include "text/jinja/heap.h"
#include "text/jinja/merge_sort.h"
#include "text/jinja/operators.h"
#include "text/jinja/unicode.h"

namespace hangar::jinja::filters {
namespace {

// What two items are compared by: the item or its attribute, without its case if asked.
struct KeyRule {
  Value attribute;  // none: the item itself
  bool case_sensitive = false;
  const Value* otherwise = nullptr;

  Value fold(Heap& heap, Value key) const {
    if (case_sensitive || !key.is_string()) return key;
    heap.meter().check_room(key.as_text().size() * 3);
    return heap.string(to_lower(key.as_text()));
  }
  Value of(Heap& heap, const Value& item) const {
    return fold(heap, get_path(heap, item, attribute, otherwise));
  }
};

struct Keyed {
  Value key;
  Value item;
};

void sort_by_key(Heap& heap, std::vector<Keyed>& items, bool reverse) {
  heap.meter().step(items.size());
  // Stable in both directions, as Python is: equal items keep their order.
  merge_sort(items, [&](const Keyed& left, const Keyed& right) {
    return reverse ? less(heap.meter(), right.key, left.key)
                   : less(heap.meter(), left.key, right.key);
  });
}

Value items_of(Heap& heap, std::vector<Keyed>& keyed) {
  std::vector<Value> items;
  items.reserve(keyed.size());
  for (Keyed& entry : keyed) items.push_back(std::move(entry.item));
  return heap.list(std::move(items));
}

// "age,name" sorts by a list of keys.
std::vector<Value> split_attributes(Heap& heap, const Value& attribute) {
  if (!attribute.is_string()) return {attribute};
  std::vector<Value> parts;
  std::string_view rest = attribute.as_text();
  while (true) {
    const std::size_t comma = rest.find(',');
    parts.push_back(heap.string(rest.substr(0, comma)));
    if (comma == std::string_view::npos) return parts;
    rest.remove_prefix(comma + 1);
  }
}

Value extreme(Heap& heap, const Value& input, const Args& args, bool largest) {
  const Arguments given(args, largest ? "max" : "min", {"case_sensitive", "attribute"});
  const KeyRule rule{given.value_or(1, Value()), given.truth_or(0, false)};
  const auto list = iterate(heap, input);
  if (list->items.empty()) return heap.undefined("No aggregated item, sequence was empty.");
  Value best = list->items.front();
  Value best_key = rule.of(heap, best);
  for (std::size_t i = 1; i < list->items.size(); ++i) {
    Value key = rule.of(heap, list->items[i]);
    if (largest ? less(heap.meter(), best_key, key) : less(heap.meter(), key, best_key)) {
      best = list->items[i];
      best_key = std::move(key);
    }
  }
  return best;
}

}  // namespace

Value sort(Heap& heap, const Value& input, const Args& args) {
  const Arguments given(args, "sort", {"reverse", "case_sensitive", "attribute"});
  const std::vector<Value> attributes = split_attributes(heap, given.value_or(2, Value()));
  const bool case_sensitive = given.truth_or(1, false);
  std::vector<Keyed> keyed;
  const auto source = iterate(heap, input);
  for (const Value& item : source->items) {
    std::vector<Value> keys;
    for (const Value& attribute : attributes) {
      keys.push_back(KeyRule{attribute, case_sensitive}.of(heap, item));
    }
    // A list also of one key, as Jinja2 has it: so two undefined keys are equal, not an error.
    keyed.push_back({heap.list(std::move(keys)), item});
  }
  sort_by_key(heap, keyed, given.truth_or(0, false));
  return items_of(heap, keyed);
}

Value dictsort(Heap& heap, const Value& input, const Args& args) {
  const Arguments given(args, "dictsort", {"case_sensitive", "by", "reverse"});
  const std::string_view by = given.has(1) ? given.text(1) : std::string_view("key");
  if (by != "key" && by != "value") {
    fail_type("You can only sort by either \"key\" or \"value\"");
  }
  if (input.is_undefined()) fail_type("{}", input.undefined_message());
  if (!input.is_dict()) fail_type("dictsort takes a mapping, not {}", type_name(input));
  const KeyRule rule{Value(), given.truth_or(0, false)};
  std::vector<Keyed> keyed;
  for (const auto& [key, value] : input.as_dict().entries()) {
    keyed.push_back(
        {rule.fold(heap, by == "key" ? key : value), heap.list({key, value}, ListFlavor::kTuple)});
  }
  sort_by_key(heap, keyed, given.truth_or(2, false));
  return items_of(heap, keyed);
}

Value unique(Heap& heap, const Value& input, const Args& args) {
  const Arguments given(args, "unique", {"case_sensitive", "attribute"});
  const KeyRule rule{given.value_or(1, Value()), given.truth_or(0, false)};
  const auto seen = heap.new_dict();
  std::vector<Value> items;
  const auto source = iterate(heap, input);
  for (const Value& item : source->items) {
    Value key = rule.of(heap, item);
    if (seen->find(key) != nullptr) continue;
    seen->set(std::move(key), Value());
    items.push_back(item);
  }
  return heap.list(std::move(items), ListFlavor::kGenerator);
}

Value groupby(Heap& heap, const Value& input, const Args& args) {
  const Arguments given(args, "groupby", {"attribute", "default", "case_sensitive"}, 1);
  const Value* otherwise = given.given(1) ? &given.at(1) : nullptr;
  const KeyRule rule{given.at(0), given.truth_or(2, false), otherwise};
  std::vector<Keyed> keyed;
  const auto source = iterate(heap, input);
  for (const Value& item : source->items) keyed.push_back({rule.of(heap, item), item});
  sort_by_key(heap, keyed, false);
  std::vector<Value> groups;
  for (std::size_t begin = 0; begin < keyed.size();) {
    std::vector<Value> members;
    std::size_t end = begin;
    while (end < keyed.size() && equals(heap.meter(), keyed[end].key, keyed[begin].key)) {
      members.push_back(keyed[end++].item);
    }
    // The name as the first member writes it.
    Value name = get_path(heap, members.front(), given.at(0), otherwise);
    groups.push_back(
        heap.list({std::move(name), heap.list(std::move(members))}, ListFlavor::kGroup));
    begin = std::max(end, begin + 1);
  }
  return heap.list(std::move(groups));
}

Value min(Heap& heap, const Value& input, const Args& args) {
  return extreme(heap, input, args, false);
}

Value max(Heap& heap, const Value& input, const Args& args) {
  return extreme(heap, input, args, true);
}

}  // namespace hangar::jinja::filters
