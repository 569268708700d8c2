#include "text/jinja/objects.h"

#include <algorithm>

#include "text/jinja/arguments.h"
#include "text/jinja/globals.h"
#include "text/jinja/heap.h"
#include "text/jinja/text_form.h"

namespace hangar::jinja {
namespace {

Value cycler_next(Heap& /*heap*/, const Value& self, const Args& args) {
  Arguments(args, "next", {});
  return static_cast<Cycler*>(self.as_object())->next();
}

Value cycler_reset(Heap& /*heap*/, const Value& self, const Args& args) {
  Arguments(args, "reset", {});
  static_cast<Cycler*>(self.as_object())->reset();
  return Value();
}

}  // namespace

std::optional<Value> BuiltinFunction::attribute(Heap& heap, std::string_view name) {
  if (name_ == "dict" && name == "fromkeys") {
    return Value::object(heap.make<BuiltinFunction>("fromkeys", &dict_from_keys));
  }
  return std::nullopt;
}

std::string BuiltinFunction::repr(Heap& /*heap*/, std::uint32_t /*depth*/) const {
  return fmt::format("<function {}>", name_);
}

std::string BoundMethod::repr(Heap& /*heap*/, std::uint32_t /*depth*/) const {
  return fmt::format("<built-in method {} of {} object>", name_, jinja::type_name(self_));
}

std::optional<Value> Namespace::attribute(Heap& heap, std::string_view name) {
  heap.meter().step(1 + attributes_.size() / 8);
  for (const auto& [key, value] : attributes_) {
    if (key == name) return value;
  }
  return std::nullopt;
}

std::string Namespace::repr(Heap& heap, std::uint32_t depth) const {
  std::string out = "<Namespace {";
  bool first = true;
  for (const auto& [key, value] : attributes_) {
    if (!first) out += ", ";
    first = false;
    heap.append(out, string_repr(key));
    out += ": ";
    append_repr(heap, out, value, depth);
  }
  return out + "}>";
}

void Namespace::set(Heap& heap, std::string_view name, Value value) {
  if (name.starts_with('_')) {
    fail_type("a namespace can't store '{}': names with a leading underscore are refused", name);
  }
  heap.meter().step(1 + attributes_.size() / 8);
  for (auto& [key, place] : attributes_) {
    if (key == name) {
      place = std::move(value);
      return;
    }
  }
  heap.meter().allocate(sizeof(Value) + sizeof(std::string) + name.size());
  attributes_.emplace_back(std::string(name), std::move(value));
}

std::optional<Value> Cycler::attribute(Heap& heap, std::string_view name) {
  if (name == "current") return items_[position_];
  if (name == "next") {
    return Value::object(heap.make<BoundMethod>(Value::object(this), "next", &cycler_next));
  }
  if (name == "reset") {
    return Value::object(heap.make<BoundMethod>(Value::object(this), "reset", &cycler_reset));
  }
  return std::nullopt;
}

Value Cycler::next() {
  Value item = items_[position_];
  position_ = (position_ + 1) % items_.size();
  return item;
}

Value Joiner::call(Heap& heap, const Args& args) {
  Arguments(args, "joiner", {});
  if (used_) return separator_;
  used_ = true;
  return heap.string("");
}

}  // namespace hangar::jinja
