#include "text/jinja/methods.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "text/jinja/access.h"
#include "text/jinja/arguments.h"
#include "text/jinja/heap.h"
#include "text/jinja/operators.h"
#include "text/jinja/reps.h"

namespace hangar::jinja {
namespace {

Value dict_keys(Heap& heap, const Value& self, const Args& args) {
  Arguments(args, "keys", {});
  std::vector<Value> items;
  for (const auto& [key, value] : self.as_dict().entries()) items.push_back(key);
  return heap.list(std::move(items), ListFlavor::kKeys);
}

Value dict_values(Heap& heap, const Value& self, const Args& args) {
  Arguments(args, "values", {});
  std::vector<Value> items;
  for (const auto& [key, value] : self.as_dict().entries()) items.push_back(value);
  return heap.list(std::move(items), ListFlavor::kValues);
}

Value dict_items(Heap& heap, const Value& self, const Args& args) {
  Arguments(args, "items", {});
  std::vector<Value> items;
  for (const auto& [key, value] : self.as_dict().entries()) {
    items.push_back(heap.list({key, value}, ListFlavor::kTuple));
  }
  return heap.list(std::move(items), ListFlavor::kItems);
}

Value dict_get(Heap& /*heap*/, const Value& self, const Args& args) {
  const Arguments given(args, "get", {"key", "default"}, 1);
  const Value* found = self.as_dict().find(given.at(0));
  return found != nullptr ? *found : given.value_or(1, Value());
}

Value dict_copy(Heap& /*heap*/, const Value& self, const Args& args) {
  Arguments(args, "copy", {});
  return self;  // values never change, so a copy can't be told from the original
}

Value list_index(Heap& heap, const Value& self, const Args& args) {
  const Arguments given(args, "index", {"value", "start", "stop"}, 1);
  const auto& items = self.as_list().items;
  const auto size = static_cast<std::int64_t>(items.size());
  const auto bound = [size](std::int64_t place) {
    return std::clamp<std::int64_t>(place < 0 ? place + size : place, 0, size);
  };
  const std::int64_t stop = bound(given.integer_or(2, size));
  for (std::int64_t i = bound(given.integer_or(1, 0)); i < stop; ++i) {
    if (equals(heap.meter(), items[static_cast<std::size_t>(i)], given.at(0))) {
      return Value::integer(i);
    }
  }
  fail_type("the value is not in the {}", type_name(self));
}

Value list_count(Heap& heap, const Value& self, const Args& args) {
  const Arguments given(args, "count", {"value"}, 1);
  std::int64_t count = 0;
  for (const Value& item : self.as_list().items) {
    if (equals(heap.meter(), item, given.at(0))) ++count;
  }
  return Value::integer(count);
}

Value list_copy(Heap& /*heap*/, const Value& self, const Args& args) {
  Arguments(args, "copy", {});
  return self;
}

Value float_is_integer(Heap& /*heap*/, const Value& self, const Args& args) {
  Arguments(args, "is_integer", {});
  const double number = self.as_double();
  return Value::boolean(std::isfinite(number) && number == std::floor(number));
}

struct MethodEntry {
  std::string_view name;
  Method method;
};

constexpr std::array<MethodEntry, 5> kDictMethods = {{{"keys", &dict_keys},
                                                      {"values", &dict_values},
                                                      {"items", &dict_items},
                                                      {"get", &dict_get},
                                                      {"copy", &dict_copy}}};

constexpr std::array<MethodEntry, 3> kListMethods = {
    {{"index", &list_index}, {"count", &list_count}, {"copy", &list_copy}}};

constexpr std::array<std::string_view, 8> kListMutators = {"append", "clear",  "extend",  "insert",
                                                           "pop",    "remove", "reverse", "sort"};
constexpr std::array<std::string_view, 5> kDictMutators = {"clear", "pop", "popitem", "setdefault",
                                                           "update"};

template <std::size_t N>
Method look_up(const std::array<MethodEntry, N>& table, std::string_view name) {
  for (const MethodEntry& entry : table) {
    if (entry.name == name) return entry.method;
  }
  return nullptr;
}

}  // namespace

Method find_dict_method(std::string_view name) {
  return look_up(kDictMethods, name);
}
Method find_list_method(std::string_view name) {
  return look_up(kListMethods, name);
}

Method find_method(const Value& self, std::string_view name) {
  switch (self.kind()) {
    case Kind::kString:
      return find_string_method(name);
    case Kind::kDict:
      return find_dict_method(name);
    case Kind::kList: {
      const ListRep& list = self.as_list();
      if (!list.has_subscript()) return nullptr;
      if (name == "copy" && list.flavor != ListFlavor::kList) return nullptr;
      return find_list_method(name);
    }
    case Kind::kDouble:
      return name == "is_integer" ? &float_is_integer : nullptr;
    default:
      return nullptr;
  }
}

bool is_mutating_method(const Value& self, std::string_view name) {
  if (self.is_dict()) {
    return std::find(kDictMutators.begin(), kDictMutators.end(), name) != kDictMutators.end();
  }
  if (self.is_list() && self.as_list().flavor == ListFlavor::kList) {
    return std::find(kListMutators.begin(), kListMutators.end(), name) != kListMutators.end();
  }
  return false;
}

}  // namespace hangar::jinja
