// The parts of the bench command, one file of this folder each.
//
// Promise: as Command, for one subcommand: add_options() gets the subcommand's own app; run() is
//   called only for the one that was asked for. Each maker's options are at their defaults.
// Errors: Command's.
// Threads: main's.
#pragma once

#include <memory>

#include "cli/command.h"

namespace hangar {

std::unique_ptr<Command> make_bench_model();
std::unique_ptr<Command> make_bench_engine();
std::unique_ptr<Command> make_bench_serve();
std::unique_ptr<Command> make_bench_batching();
std::unique_ptr<Command> make_bench_http();

}  // namespace hangar
