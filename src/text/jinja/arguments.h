// Arguments: a call's positional and named arguments, laid against the names that a function takes.
//
// Promise: each argument ends in the place of its name; what was left out is seen as left out.
// Errors: too many, unknown, doubled or missing arguments, or one of the wrong type:
// kInvalidArgument,
//   thrown, with the function's name.
// Threads: plain values; the Args must outlive this.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "text/jinja/value.h"

namespace hangar::jinja {

class Arguments {
 public:
  Arguments(const Args& args, std::string_view function,
            std::initializer_list<std::string_view> names, std::size_t required = 0);

  bool has(std::size_t index) const { return values_[index] != nullptr; }
  // There, and not none.
  bool given(std::size_t index) const { return has(index) && !values_[index]->is_none(); }
  const Value& at(std::size_t index) const { return *values_[index]; }
  Value value_or(std::size_t index, const Value& otherwise) const;
  bool truth_or(std::size_t index, bool otherwise) const;
  std::int64_t integer(std::size_t index) const;
  std::int64_t integer_or(std::size_t index, std::int64_t otherwise) const;
  std::string_view text(std::size_t index) const;

 private:
  std::string_view function_;
  std::vector<std::string_view> names_;
  std::vector<const Value*> values_;
};

}  // namespace hangar::jinja
