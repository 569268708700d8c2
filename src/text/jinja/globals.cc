#include "text/jinja/globals.h"

#include <array>

#include "text/jinja/access.h"
#include "text/jinja/arguments.h"
#include "text/jinja/heap.h"
#include "text/jinja/objects.h"
#include "text/jinja/strftime.h"
#include "text/jinja/text_form.h"

namespace hangar::jinja {
namespace {

constexpr std::int64_t kMaxRange = 100'000;  // the sandbox's own limit

Value make_range(Heap& heap, const Args& args) {
  const Arguments given(args, "range", {"start", "stop", "step"}, 1);
  const bool one = !given.has(1);
  const std::int64_t start = one ? 0 : given.integer(0);
  const std::int64_t stop = one ? given.integer(0) : given.integer(1);
  const std::int64_t step = given.integer_or(2, 1);
  if (step == 0) fail_type("range() arg 3 must not be zero");
  std::uint64_t count = 0;
  if (step > 0 ? start < stop : start > stop) {
    const auto low = static_cast<std::uint64_t>(step > 0 ? start : stop);
    const auto high = static_cast<std::uint64_t>(step > 0 ? stop : start);
    const std::uint64_t stride =
        step > 0 ? static_cast<std::uint64_t>(step) : ~static_cast<std::uint64_t>(step) + 1;
    count = (high - low - 1) / stride + 1;
  }
  if (count > static_cast<std::uint64_t>(kMaxRange)) {
    fail(ErrorCode::kResourceExhausted, "range too big: the sandbox allows {} items", kMaxRange);
  }
  heap.meter().step(count / 8);
  std::vector<Value> items;
  items.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    items.push_back(Value::integer(start + static_cast<std::int64_t>(i) * step));
  }
  std::string repr = step == 1 ? fmt::format("range({}, {})", start, stop)
                               : fmt::format("range({}, {}, {})", start, stop, step);
  return heap.list(std::move(items), ListFlavor::kRange, std::move(repr));
}

// Calls set(key, value) for what dict(...) would hold: a mapping or pairs, then named arguments.
template <typename Set>
void for_each_entry(Heap& heap, const Args& args, std::string_view name, Set set) {
  if (args.positional.size() > 1) fail_type("{}() takes at most 1 positional argument", name);
  if (!args.positional.empty()) {
    const Value& source = args.positional[0];
    if (source.is_dict()) {
      for (const auto& [key, value] : source.as_dict().entries()) set(key, value);
    } else {
      const auto entries = iterate(heap, source);
      for (const Value& entry : entries->items) {
        const auto pair = iterate(heap, entry);
        if (pair->items.size() != 2) fail_type("{}() takes pairs of key and value", name);
        set(pair->items[0], pair->items[1]);
      }
    }
  }
  for (const auto& [key, value] : args.named) set(heap.string(std::string_view(key)), value);
}

Value make_dict(Heap& heap, const Args& args) {
  const auto dict = heap.new_dict();
  for_each_entry(heap, args, "dict",
                 [&](const Value& key, const Value& value) { dict->set(key, value); });
  return Heap::finish(dict);
}

Value make_namespace(Heap& heap, const Args& args) {
  auto* space = heap.make<Namespace>();
  for_each_entry(heap, args, "namespace", [&](const Value& key, const Value& value) {
    if (!key.is_string()) fail_type("a namespace's names must be str, not {}", type_name(key));
    space->set(heap, key.as_text(), value);
  });
  return Value::object(space);
}

Value raise_exception(Heap& heap, const Args& args) {
  const Arguments given(args, "raise_exception", {"message"}, 1);
  throw TemplateFailure(Error{ErrorCode::kInvalidArgument, to_text(heap, given.at(0))}, 0, true);
}

Value strftime_now(Heap& heap, const Args& args) {
  const Arguments given(args, "strftime_now", {"format"}, 1);
  return heap.string(format_time(heap, given.text(0), heap.now_unix_s()));
}

Value make_joiner(Heap& heap, const Args& args) {
  const Arguments given(args, "joiner", {"sep"});
  return Value::object(heap.make<Joiner>(given.has(0) ? given.at(0) : heap.string(", ")));
}

Value make_cycler(Heap& heap, const Args& args) {
  if (args.positional.empty() || !args.named.empty()) {
    fail_type("cycler() takes at least one item, and no named arguments");
  }
  heap.meter().allocate(args.positional.size() * sizeof(Value));
  return Value::object(heap.make<Cycler>(args.positional));
}

constexpr std::array kGlobals = {
    Global{"range", &make_range},          Global{"dict", &make_dict},
    Global{"namespace", &make_namespace},  Global{"raise_exception", &raise_exception},
    Global{"strftime_now", &strftime_now}, Global{"joiner", &make_joiner},
    Global{"cycler", &make_cycler},
};

}  // namespace

const Global* find_global(std::string_view name) {
  for (const Global& global : kGlobals) {
    if (global.name == name) return &global;
  }
  return nullptr;
}

Value dict_from_keys(Heap& heap, const Args& args) {
  const Arguments given(args, "fromkeys", {"iterable", "value"}, 1);
  const auto dict = heap.new_dict();
  const auto keys = iterate(heap, given.at(0));
  for (const Value& key : keys->items) {
    dict->set(key, given.value_or(1, Value()));
  }
  return Heap::finish(dict);
}

}  // namespace hangar::jinja
