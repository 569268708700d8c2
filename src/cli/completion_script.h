// Completion scripts for bash and zsh, made from the program's own commands and options.
//
// Promise: they offer what the CLI11 app knows at this moment, so they cannot go stale: commands,
//   long and short options, the values of options whose type is written "a|b", model names and
//   files for MODEL, files for FILE, folders for DIR.
// Errors: none.
// Threads: pure.
#pragma once

#include <CLI/App.hpp>
#include <string>

namespace hangar {

std::string bash_completion(const CLI::App& root);
std::string zsh_completion(const CLI::App& root);

}  // namespace hangar
