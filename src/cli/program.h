// The program as CLI11 knows it: built from the list of commands, parsed, and the command run.
//
// Promise: run_program runs the command that the arguments name; --help and --version go to `out`.
//   A mistyped command or option is answered with the nearest one there is.
// Errors: kInvalidArgument for a wrong command line; the command's own.
// Threads: main's.
#pragma once

#include <string>
#include <vector>

#include "base/output.h"
#include "base/result.h"

namespace hangar {

// `arguments` without the program's name.
Result<int> run_program(const std::vector<std::string>& arguments, Output& out);

}  // namespace hangar
