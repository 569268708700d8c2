// hangar detokenize: token ids on standard input, text out.
#include <unistd.h>

#include <boost/json.hpp>
#include <memory>
#include <string>

#include "base/json.h"
#include "cli/commands/commands.h"
#include "cli/model_loading.h"
#include "cli/setting_flags.h"
#include "cli/token_list.h"
#include "text/stream_decoder.h"

namespace hangar {
namespace {

constexpr std::size_t kMaxTextBytes = 1U << 30U;

constexpr const char* kExamples =
    "Examples:\n"
    "  echo 504 3575 282 | hangar detokenize\n"
    "  printf 'Hello' | hangar tokenize --json | hangar detokenize --json\n"
    "\n"
    "Reads \"1 2 3\", [1, 2, 3] or {\"ids\": [1, 2, 3]}. The bytes come as they are, without an "
    "added\n"
    "newline; with --json what is no whole UTF-8 character becomes U+FFFD.";

class DetokenizeCommand : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_flag("--json", json_, "{\"text\": \"...\"} instead of the plain text");
    app.add_flag("--skip-special", skip_special_, "Leave out control tokens such as <|im_end|>");
    settings_.add(app, {Setting::kModel, Setting::kModelsDir});
    app.footer(kExamples);
  }

  Result<int> run(const CommandContext& context) override {
    HANGAR_TRY(const Settings settings, settings_.resolve());
    HANGAR_TRY(const StoredModel stored, find_model(settings));
    HANGAR_TRY(const std::unique_ptr<const Tokenizer> tokenizer, open_tokenizer(stored));
    HANGAR_TRY(const std::string text, read_all(STDIN_FILENO, "standard input", kMaxTextBytes));
    HANGAR_TRY(const std::vector<TokenId> ids,
               parse_token_list(text, "standard input", tokenizer->vocabulary()));
    const std::string bytes = tokenizer->decode(ids, !skip_special_);
    if (json_) {
      const boost::json::value out = {{"text", to_valid_utf8(bytes)}};
      HANGAR_CHECK_OK(context.out.write(write_json(out) + "\n"));
    } else {
      HANGAR_CHECK_OK(context.out.write(bytes));
    }
    return 0;
  }

 private:
  SettingFlags settings_;
  bool json_ = false;
  bool skip_special_ = false;
};

}  // namespace

std::unique_ptr<Command> make_detokenize_command() {
  return std::make_unique<DetokenizeCommand>();
}

}  // namespace hangar
