// The objects that need no evaluator: functions, bound methods, namespaces, cyclers, joiners, dict.
//
// Promise: as Jinja2's own, under the sandbox: a namespace takes no name with a leading underscore.
// Errors: thrown, as the calls of object.h.
// Threads: one render's.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/methods.h"
#include "text/jinja/object.h"

namespace hangar::jinja {

class BuiltinFunction final : public Object {
 public:
  using Function = Value (*)(Heap&, const Args&);
  BuiltinFunction(std::string_view name, Function function) : name_(name), function_(function) {}
  std::string_view type_name() const override { return "function"; }
  bool is_callable() const override { return true; }
  Value call(Heap& heap, const Args& args) override { return function_(heap, args); }
  std::optional<Value> attribute(Heap& heap, std::string_view name) override;
  std::string repr(Heap& heap, std::uint32_t depth) const override;

 private:
  std::string_view name_;
  Function function_;
};

class BoundMethod final : public Object {
 public:
  BoundMethod(Value self, std::string name, Method method)
      : self_(std::move(self)), name_(std::move(name)), method_(method) {}
  std::string_view type_name() const override { return "builtin_function_or_method"; }
  bool is_callable() const override { return true; }
  Value call(Heap& heap, const Args& args) override { return method_(heap, self_, args); }
  std::string repr(Heap& heap, std::uint32_t depth) const override;

 private:
  Value self_;
  std::string name_;
  Method method_;
};

class Namespace final : public Object {
 public:
  std::string_view type_name() const override { return "Namespace"; }
  std::optional<Value> attribute(Heap& heap, std::string_view name) override;
  std::string repr(Heap& heap, std::uint32_t depth) const override;
  void set(Heap& heap, std::string_view name, Value value);

 private:
  std::vector<std::pair<std::string, Value>> attributes_;
};

class Cycler final : public Object {
 public:
  explicit Cycler(std::vector<Value> items) : items_(std::move(items)) {}
  std::string_view type_name() const override { return "Cycler"; }
  std::optional<Value> attribute(Heap& heap, std::string_view name) override;
  Value next();
  void reset() { position_ = 0; }

 private:
  std::vector<Value> items_;
  std::size_t position_ = 0;
};

class Joiner final : public Object {
 public:
  explicit Joiner(Value separator) : separator_(std::move(separator)) {}
  std::string_view type_name() const override { return "Joiner"; }
  bool is_callable() const override { return true; }
  Value call(Heap& heap, const Args& args) override;

 private:
  Value separator_;
  bool used_ = false;
};

}  // namespace hangar::jinja
