#include "text/jinja/heap.h"

#include <algorithm>

namespace hangar::jinja {

Value Heap::string(std::string text, bool markup) {
  meter_.scan(text.size());
  return Value(std::make_shared<const StringRep>(&meter_, std::move(text), markup));
}

Value Heap::list(std::vector<Value> items, ListFlavor flavor, std::string repr) {
  meter_.step(1 + items.size() / 8);
  std::uint32_t depth = 0;
  for (const Value& item : items) depth = std::max(depth, item.depth());
  if (++depth > meter_.limits().depth) {
    fail(ErrorCode::kResourceExhausted, "values nest deeper than {}", meter_.limits().depth);
  }
  return Value(
      std::make_shared<const ListRep>(&meter_, std::move(items), flavor, std::move(repr), depth));
}

Value Heap::undefined(std::string message) {
  return Value(std::make_shared<const UndefinedRep>(&meter_, std::move(message)));
}

Value Object::call(Heap& /*heap*/, const Args& /*args*/) {
  fail_type("'{}' object is not callable", type_name());
}

std::optional<Value> Object::attribute(Heap& /*heap*/, std::string_view /*name*/) {
  return std::nullopt;
}

std::optional<std::int64_t> Object::length(Heap& /*heap*/) {
  return std::nullopt;
}

std::string Object::repr(Heap& /*heap*/, std::uint32_t /*depth*/) const {
  return fmt::format("<{}>", type_name());
}

}  // namespace hangar::jinja
