// hangar tokenize: text on standard input, token ids out.
#include <fmt/format.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <memory>
#include <string>

#include "base/json.h"
#include "cli/commands/commands.h"
#include "cli/model_loading.h"
#include "cli/setting_flags.h"

namespace hangar {
namespace {

constexpr std::size_t kMaxTextBytes = 1U << 30U;

constexpr const char* kExamples =
    "Examples:\n"
    "  printf 'Hello world' | hangar tokenize\n"
    "  hangar tokenize --json --no-bos < book.txt\n"
    "  hangar tokenize --model vocabulary-only.gguf < text | hangar detokenize --model ...\n"
    "\n"
    "All of standard input is the text, a newline at its end too. Ids come on one line.";

class TokenizeCommand : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_flag("--json", json_, "{\"ids\": [...]} instead of a line of ids");
    app.add_flag("--no-bos", no_bos_, "Leave out the tokens the model adds at start and end");
    app.add_flag("--no-special", no_special_,
                 "Take \"<|im_end|>\" and its like as plain text, not as control tokens");
    settings_.add(app, {Setting::kModel, Setting::kModelsDir});
    app.footer(kExamples);
  }

  Result<int> run(const CommandContext& context) override {
    HANGAR_TRY(const Settings settings, settings_.resolve());
    HANGAR_TRY(const StoredModel stored, find_model(settings));
    HANGAR_TRY(const std::unique_ptr<const Tokenizer> tokenizer, open_tokenizer(stored));
    HANGAR_TRY(const std::string text, read_all(STDIN_FILENO, "standard input", kMaxTextBytes));
    const std::vector<TokenId> ids =
        tokenizer->encode(text, {.add_special = !no_bos_, .parse_special = !no_special_});
    if (json_) {
      const boost::json::value out = {{"ids", boost::json::array(ids.begin(), ids.end())}};
      HANGAR_CHECK_OK(context.out.write(write_json(out) + "\n"));
    } else {
      HANGAR_CHECK_OK(context.out.print("{}\n", fmt::join(ids, " ")));
    }
    return 0;
  }

 private:
  SettingFlags settings_;
  bool json_ = false;
  bool no_bos_ = false;
  bool no_special_ = false;
};

}  // namespace

std::unique_ptr<Command> make_tokenize_command() {
  return std::make_unique<TokenizeCommand>();
}

}  // namespace hangar
