// How the interpreter fails: one private exception, caught at ChatTemplate's door.
//
// Promise: every failure inside this folder is a TemplateFailure; chat_template.cc turns it into an
//   Error and lets nothing pass.
// Errors: `verbatim` marks the words of raise_exception, which reach the caller as they are; all
// other
//   messages get the template's line in front.
// Threads: plain values.
#pragma once

#include <exception>
#include <string>
#include <utility>

#include "base/result.h"

namespace hangar::jinja {

class TemplateFailure : public std::exception {
 public:
  explicit TemplateFailure(Error error, int line = 0, bool verbatim = false)
      : error_(std::move(error)), line_(line), verbatim_(verbatim) {}
  const char* what() const noexcept override { return error_.message.c_str(); }
  const Error& error() const { return error_; }
  int line() const { return line_; }
  bool verbatim() const { return verbatim_; }

 private:
  Error error_;
  int line_;  // 0: not known where it was thrown; the evaluator's current line holds
  bool verbatim_;
};

template <typename... Args>
[[noreturn]] void fail(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  throw TemplateFailure(Error{code, fmt::format(format, std::forward<Args>(args)...)});
}

template <typename... Args>
[[noreturn]] void fail_at(int line, ErrorCode code, fmt::format_string<Args...> format,
                          Args&&... args) {
  throw TemplateFailure(Error{code, fmt::format(format, std::forward<Args>(args)...)}, line);
}

// A template used a value in a way its type does not allow: Python's TypeError and its kin.
template <typename... Args>
[[noreturn]] void fail_type(fmt::format_string<Args...> format, Args&&... args) {
  fail(ErrorCode::kInvalidArgument, format, std::forward<Args>(args)...);
}

}  // namespace hangar::jinja
