// The list of commands: the one place that knows them all.
#include <array>

#include "cli/command.h"
#include "cli/commands/commands.h"

namespace hangar {
namespace {

constexpr std::array<CommandEntry, 11> kCommands = {{
    {"serve", "Answer over HTTP, as OpenAI's API does", make_serve_command},
    {"chat", "Talk to a model in the terminal", make_chat_command},
    {"generate", "Continue a prompt: text in, text out", make_generate_command},
    {"models", "List the models that are here, or look into one", make_models_command},
    {"devices", "List this machine's processors and GPUs", make_devices_command},
    {"tokenize", "Turn text into token ids", make_tokenize_command},
    {"detokenize", "Turn token ids into text", make_detokenize_command},
    {"render", "Render a chat template", make_render_command},
    {"bench", "Measure how fast a model runs here", make_bench_command},
    {"eval", "Measure how well a model predicts a text", make_eval_command},
    {"completion", "Print a completion script for bash or zsh", make_completion_command},
}};

}  // namespace

std::span<const CommandEntry> command_list() {
  return kCommands;
}

}  // namespace hangar
