// Object: a value with a life of its own: a function, a macro, a namespace, a loop.
//
// Promise: objects belong to the render's Heap and die with it, so they may point at each other.
// Errors: calling what is not callable throws.
// Threads: one render's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "text/jinja/value.h"

namespace hangar::jinja {

class Heap;

class Object {
 public:
  Object() = default;
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  virtual ~Object() = default;

  virtual std::string_view type_name() const = 0;
  virtual bool is_callable() const { return false; }
  virtual Value call(Heap& heap, const Args& args);
  // nullopt: it has no such attribute.
  virtual std::optional<Value> attribute(Heap& heap, std::string_view name);
  virtual std::optional<std::int64_t> length(Heap& heap);  // nullopt: it has none
  virtual std::string repr(Heap& heap, std::uint32_t depth) const;
};

}  // namespace hangar::jinja
