// The makers of all commands, one file of this folder each.
//
// Promise: each gives a fresh command whose options are at their defaults.
// Errors: none.
// Threads: any.
#pragma once

#include <memory>

#include "cli/command.h"

namespace hangar {

std::unique_ptr<Command> make_serve_command();
std::unique_ptr<Command> make_chat_command();
std::unique_ptr<Command> make_generate_command();
std::unique_ptr<Command> make_models_command();
std::unique_ptr<Command> make_devices_command();
std::unique_ptr<Command> make_tokenize_command();
std::unique_ptr<Command> make_detokenize_command();
std::unique_ptr<Command> make_render_command();
std::unique_ptr<Command> make_bench_command();
std::unique_ptr<Command> make_eval_command();
std::unique_ptr<Command> make_completion_command();

}  // namespace hangar
