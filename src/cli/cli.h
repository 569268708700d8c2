// The program's outermost layer: from the command line to an exit code.
//
// Promise: runs the one command that was asked for; whatever goes wrong is said on standard error
// as
//   "hangar: error: ..." and, where there is something to do about it, "hint: ...", and becomes the
//   exit code that base/result.h names. A write to standard output that failed is never success.
// Errors: the exit code.
// Threads: called once, by main.
#pragma once

namespace hangar {

int run_cli(int argc, const char* const* argv);

}  // namespace hangar
