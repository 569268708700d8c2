// hangar completion: a script that completes commands and options in bash or zsh.
#include <memory>
#include <string>

#include "cli/commands/commands.h"
#include "cli/completion_script.h"

namespace hangar {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  source <(hangar completion bash)\n"
    "  hangar completion bash > ~/.local/share/bash-completion/completions/hangar\n"
    "  hangar completion zsh > ~/.zsh/completions/_hangar";

class CompletionCommand : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_option("SHELL", shell_, "bash or zsh")->type_name("bash|zsh")->required();
    app.footer(kExamples);
  }

  Result<int> run(const CommandContext& context) override {
    if (shell_ == "bash") {
      HANGAR_CHECK_OK(context.out.write(bash_completion(context.root)));
    } else if (shell_ == "zsh") {
      HANGAR_CHECK_OK(context.out.write(zsh_completion(context.root)));
    } else {
      return make_error(ErrorCode::kInvalidArgument, "SHELL: '{}' is neither bash nor zsh", shell_);
    }
    return 0;
  }

 private:
  std::string shell_;
};

}  // namespace

std::unique_ptr<Command> make_completion_command() {
  return std::make_unique<CompletionCommand>();
}

}  // namespace hangar
