#include "text/jinja/evaluator_objects.h"

#include "text/jinja/arguments.h"
#include "text/jinja/objects.h"
#include "text/jinja/operators.h"

namespace hangar::jinja {
namespace {

LoopObject& loop_of(const Value& self) {
  return static_cast<LoopObject&>(*self.as_object());
}

Value loop_cycle(Heap& /*heap*/, const Value& self, const Args& args) {
  return loop_of(self).cycle(args);
}

Value loop_changed(Heap& heap, const Value& self, const Args& args) {
  return loop_of(self).changed(heap, args);
}

}  // namespace

std::optional<Value> MacroObject::attribute(Heap& heap, std::string_view name) {
  if (name == "name") return heap.string(std::string_view(macro_.name));
  if (name == "arguments") {
    std::vector<Value> names;
    for (const std::string& argument : macro_.signature.names) {
      names.push_back(heap.string(std::string_view(argument)));
    }
    return heap.list(std::move(names), ListFlavor::kTuple);
  }
  if (name == "caller") return Value::boolean(macro_.signature.uses_caller);
  if (name == "catch_varargs") return Value::boolean(macro_.signature.uses_varargs);
  if (name == "catch_kwargs") return Value::boolean(macro_.signature.uses_kwargs);
  return std::nullopt;
}

std::string MacroObject::repr(Heap& /*heap*/, std::uint32_t /*depth*/) const {
  if (macro_.name.empty()) return "<Macro anonymous>";  // the body of a call block
  return fmt::format("<Macro '{}'>", macro_.name);
}

void LoopObject::start(const ast::For& node, std::shared_ptr<const ListRep> source, Filter filter,
                       Scope* outer, std::uint32_t depth0) {
  node_ = &node;
  outer_ = outer;
  source_ = std::move(source);
  filter_ = std::move(filter);
  depth0_ = depth0;
  next_ = 0;
  index0_ = -1;
  drained_ = false;
  rest_.clear();
  length_.reset();
  after_.reset();
  last_changed_.reset();
  current_ = before_ = Value();
}

std::optional<Value> LoopObject::fetch() {
  const std::vector<Value>& items = drained_ ? rest_ : source_->items;
  while (next_ < items.size()) {
    const Value& item = items[next_++];
    if (drained_ || !filter_ || filter_(item)) return item;
  }
  return std::nullopt;
}

bool LoopObject::peek() {
  if (!after_) after_ = fetch();
  return after_.has_value();
}

bool LoopObject::advance() {
  std::optional<Value> next = after_ ? std::exchange(after_, std::nullopt) : fetch();
  if (!next) return false;
  before_ = std::exchange(current_, *std::move(next));
  ++index0_;
  return true;
}

void LoopObject::finish() {
  filter_ = nullptr;
  if (escaped_) return;
  source_.reset();
  rest_.clear();
  after_.reset();
  last_changed_.reset();
  current_ = before_ = Value();
}

std::optional<std::int64_t> LoopObject::length(Heap& /*heap*/) {
  if (length_) return length_;
  if (!filter_ && source_ && source_->has_length()) {
    length_ = static_cast<std::int64_t>(source_->items.size());
    return length_;
  }
  std::vector<Value> rest;
  while (std::optional<Value> item = fetch()) rest.push_back(*std::move(item));
  length_ = static_cast<std::int64_t>(rest.size()) + index0_ + 1 + (after_ ? 1 : 0);
  rest_ = std::move(rest);
  drained_ = true;
  next_ = 0;
  return length_;
}

std::optional<Value> LoopObject::attribute(Heap& heap, std::string_view name) {
  if (name == "index") return Value::integer(index0_ + 1);
  if (name == "index0") return Value::integer(index0_);
  if (name == "first") return Value::boolean(index0_ == 0);
  if (name == "last") return Value::boolean(!peek());
  if (name == "length") return Value::integer(*length(heap));
  if (name == "revindex") return Value::integer(*length(heap) - index0_);
  if (name == "revindex0") return Value::integer(*length(heap) - index0_ - 1);
  if (name == "depth") return Value::integer(depth0_ + 1);
  if (name == "depth0") return Value::integer(depth0_);
  if (name == "previtem") {
    return index0_ == 0 ? heap.undefined("there is no previous item") : before_;
  }
  if (name == "nextitem") return peek() ? *after_ : heap.undefined("there is no next item");
  if (name == "cycle" || name == "changed") {
    mark_escaped();
    const Method method = name == "cycle" ? &loop_cycle : &loop_changed;
    return Value::object(heap.make<BoundMethod>(Value::object(this), std::string(name), method));
  }
  return std::nullopt;
}

std::string LoopObject::repr(Heap& heap, std::uint32_t /*depth*/) const {
  return fmt::format("<LoopContext {}/{}>", index0_ + 1,
                     *const_cast<LoopObject*>(this)->length(heap));
}

Value LoopObject::cycle(const Args& args) const {
  if (!args.named.empty()) fail_type("cycle() takes no named arguments");
  if (args.positional.empty()) fail_type("no items for cycling given");
  return args.positional[static_cast<std::size_t>(index0_) % args.positional.size()];
}

Value LoopObject::changed(Heap& heap, const Args& args) {
  if (!args.named.empty()) fail_type("changed() takes no named arguments");
  bool same = last_changed_ && last_changed_->size() == args.positional.size();
  for (std::size_t i = 0; same && i < args.positional.size(); ++i) {
    same = equals(heap.meter(), (*last_changed_)[i], args.positional[i]);
  }
  if (!same) last_changed_ = args.positional;
  return Value::boolean(!same);
}

}  // namespace hangar::jinja
