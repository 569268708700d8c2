// Command: one verb of the program, and what it gets to work with.
//
// Promise: add_options() names the command's options on its CLI11 app before parsing; run() is
// called
//   once, after parsing, and only for the command that was asked for. The Command outlives the app.
// Errors: run: an Error becomes a message and an exit code; an int is the exit code itself.
// Threads: main's.
#pragma once

#include <CLI/App.hpp>
#include <memory>
#include <span>
#include <string_view>

#include "base/output.h"
#include "base/result.h"

namespace hangar {

struct CommandContext {
  const CLI::App& root;  // the whole program's commands and options
  Output& out;           // standard output: write answers here and nowhere else
};

class Command {
 public:
  virtual ~Command() = default;
  virtual void add_options(CLI::App& app) = 0;
  virtual Result<int> run(const CommandContext& context) = 0;
};

struct CommandEntry {
  std::string_view name;
  std::string_view summary;
  std::unique_ptr<Command> (*make)();
};

// Every command there is, in the order of `hangar --help`.
std::span<const CommandEntry> command_list();

}  // namespace hangar
