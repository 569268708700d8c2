// Result<T>: the value, or an Error that says what happened and what to do next.
//
// Promise: nothing that can fail for a reason outside the program throws across a folder's door; it
//   returns Result<T> (or Status when there is no value).
// Errors: `code` is for programs (it becomes an exit code or an HTTP status), `message` for people:
//   name the file, the field and what was found.
// Threads: plain values.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace hangar {

enum class ErrorCode {
  kInvalidArgument,    // the caller's input is wrong: 400, exit 2
  kNotFound,           // no such file, model, id: 404, exit 3
  kUnsupported,        // well-formed, but this program does not do it: 400, exit 4
  kCorrupt,            // a file contradicts itself or is cut short: exit 5
  kIo,                 // the operating system refused: exit 6
  kResourceExhausted,  // out of memory, disk, queue or quota: 429, exit 7
  kUnavailable,        // stopping, or not ready yet: 503, exit 8
  kCancelled,          // the client asked for it: exit 9
  kDeadlineExceeded,   // out of time: 504, exit 10
  kInternal,           // a bug of ours: 500, exit 70
};

// "invalid argument", "not found", ...
std::string_view error_code_name(ErrorCode code);
// The process exit code that stands for `code`; the table is in the enum above.
int exit_code_of(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
  // The request field or the flag at fault, if one is ("temperature", "messages[2].content").
  std::string field = {};
};

template <typename T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

template <typename... Args>
[[nodiscard]] tl::unexpected<Error> make_error(ErrorCode code, fmt::format_string<Args...> format,
                                               Args&&... args) {
  return tl::unexpected<Error>(Error{code, fmt::format(format, std::forward<Args>(args)...)});
}

// Puts `context` in front of the message: "model.gguf: tensor 3: ...".
[[nodiscard]] inline tl::unexpected<Error> with_context(Error error, std::string_view context) {
  error.message = fmt::format("{}: {}", context, error.message);
  return tl::unexpected<Error>(std::move(error));
}

}  // namespace hangar

#define HANGAR_CONCAT_INNER(a, b) a##b
#define HANGAR_CONCAT(a, b) HANGAR_CONCAT_INNER(a, b)

// HANGAR_TRY(auto x, f()): x is the value of f(), or the enclosing function returns its error.
#define HANGAR_TRY(declaration, expression) \
  HANGAR_TRY_INNER(HANGAR_CONCAT(hangar_try_, __LINE__), declaration, expression)
#define HANGAR_TRY_INNER(temporary, declaration, expression)                            \
  auto temporary = (expression);                                                        \
  if (!temporary) return tl::unexpected<::hangar::Error>(std::move(temporary.error())); \
  declaration = std::move(*temporary)

// HANGAR_CHECK_OK(f()): the enclosing function returns f()'s error, if it has one.
#define HANGAR_CHECK_OK(expression)                                                               \
  do {                                                                                            \
    auto hangar_status = (expression);                                                            \
    if (!hangar_status) return tl::unexpected<::hangar::Error>(std::move(hangar_status.error())); \
  } while (false)
