// How errors and remarks reach the person at the terminal.
//
// Promise: everything here goes to standard error. report_error writes "hangar: error: MESSAGE"
// and,
//   where the error carries a hint or its kind has a usual one, "hint: ..." on a line of its own.
// Errors: none.
// Threads: any.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace hangar {

// The error with advice attached; the advice may have several lines.
Error with_hint(Error error, std::string_view hint);

// What report_error prints, ending in a newline.
std::string error_report(const Error& error);
void report_error(const Error& error);

// "hangar: warning: ..."
void report_warning(std::string_view text);
// A plain line.
void report_note(std::string_view text);

}  // namespace hangar
