// ModulePattern: how compressed-tensors names modules: exactly, or by a regular expression.
//
// Promise: "re:EXPRESSION" matches where Python's re.match does, from the name's beginning; other
//   text matches the same name only. An expression that takes too many steps matches nothing.
// Errors: kCorrupt with the expression and what is wrong with it.
// Threads: const and thread-safe.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hangar::hf {

class ModulePattern {
 public:
  static Result<ModulePattern> compile(std::string_view text);

  bool matches(std::string_view module) const;
  bool is_expression() const { return code_ != nullptr; }
  const std::string& text() const { return text_; }

 private:
  explicit ModulePattern(std::string_view text) : text_(text) {}

  std::string text_;
  std::shared_ptr<const void> code_;  // pcre2_code; nullptr: a name
};

}  // namespace hangar::hf
