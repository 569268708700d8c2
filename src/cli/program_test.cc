#include "cli/program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

#include "base/version.h"
#include "cli/command.h"

namespace hangar {
namespace {

using ::testing::HasSubstr;

struct Outcome {
  Result<int> code;
  std::string out;
};

Outcome run(const std::vector<std::string>& arguments) {
  int fds[2];
  EXPECT_EQ(::pipe(fds), 0);
  std::string text;
  std::thread reader([&] { text = read_all(fds[0], "pipe", 1U << 24U).value_or("failed"); });
  Output out(fds[1], "pipe");
  Result<int> code = run_program(arguments, out);
  EXPECT_TRUE(out.flush().has_value());
  ::close(fds[1]);
  reader.join();
  ::close(fds[0]);
  return {std::move(code), std::move(text)};
}

std::string error_of(const std::vector<std::string>& arguments) {
  const Outcome outcome = run(arguments);
  EXPECT_FALSE(outcome.code.has_value());
  if (outcome.code) return "";
  EXPECT_EQ(outcome.code.error().code, ErrorCode::kInvalidArgument);
  return outcome.code.error().message;
}

TEST(Program, HelpAndVersionGoToTheOutput) {
  const Outcome version = run({"--version"});
  EXPECT_EQ(version.code.value(), 0);
  EXPECT_EQ(version.out, "hangar " + std::string(kVersion) + "\n");
  const Outcome help = run({"--help"});
  for (const CommandEntry& entry : command_list()) {
    EXPECT_THAT(help.out, HasSubstr(std::string(entry.summary)));
  }
  EXPECT_THAT(help.out, HasSubstr("Exit codes:"));
}

TEST(Program, EveryCommandHasHelpWithExamples) {
  for (const CommandEntry& entry : command_list()) {
    const Outcome help = run({std::string(entry.name), "--help"});
    EXPECT_EQ(help.code.value(), 0);
    EXPECT_THAT(help.out, HasSubstr("Examples:\n")) << entry.name;
    EXPECT_THAT(help.out, HasSubstr("hangar " + std::string(entry.name)));
  }
  EXPECT_THAT(run({"models", "inspect", "--help"}).out, HasSubstr("models inspect model.gguf"));
}

TEST(Program, MistypedWordsAreAnsweredWithTheNearest) {
  EXPECT_THAT(error_of({"srve"}), HasSubstr("unknown command 'srve'\nhint: did you mean 'serve'?"));
  EXPECT_THAT(error_of({"serve", "--prot", "1"}),
              HasSubstr("hangar serve: unknown option '--prot'\nhint: did you mean '--port'?"));
  EXPECT_THAT(error_of({"models", "inspekt"}), HasSubstr("did you mean 'inspect'?"));
  EXPECT_THAT(error_of({"completion", "--shall=bash"}), HasSubstr("unknown option '--shall'"));
  EXPECT_THAT(error_of({"tokenize", "word"}), HasSubstr("unexpected argument 'word'"));
  EXPECT_THAT(error_of({"serve", "--port"}), HasSubstr("`hangar serve --help`"));
  EXPECT_THAT(error_of({"generate", "--top-k", "x"}), HasSubstr("--top-k"));
}

TEST(Program, SettingsAreCheckedAndShown) {
  EXPECT_THAT(error_of({"serve", "--port", "70000"}), HasSubstr("flag --port"));
  const Outcome shown = run({"serve", "--port", "81", "--print-config"});
  EXPECT_EQ(shown.code.value(), 0);
  EXPECT_THAT(shown.out, HasSubstr("port = 81 "));
  EXPECT_THAT(shown.out, HasSubstr("# flag --port"));
}

TEST(Program, GenerateRefusesFlagsThatContradict) {
  EXPECT_THAT(error_of({"generate", "a", "--prompt", "b"}), HasSubstr("more than once"));
  EXPECT_THAT(error_of({"generate", "a", "--chat", "--raw"}), HasSubstr("--raw"));
  EXPECT_THAT(error_of({"generate", "a", "--system", "s"}), HasSubstr("--chat"));
  EXPECT_THAT(error_of({"generate", "a", "--logprobs", "2"}), HasSubstr("--json"));
  EXPECT_THAT(error_of({"generate", "a", "--temperature", "9"}), HasSubstr("--temperature"));
}

TEST(Program, BenchModelRefusesWhatMeasuresNothing) {
  EXPECT_THAT(error_of({"bench", "model", "-p", "0", "-n", "0,0"}),
              HasSubstr("nothing to measure"));
  EXPECT_THAT(error_of({"bench", "model", "-b", "0"}), HasSubstr("--batch"));
  EXPECT_THAT(error_of({"bench", "model", "-d", "-1"}), HasSubstr("--depth"));
  EXPECT_THAT(error_of({"bench", "model", "--acount"}), HasSubstr("did you mean '--account'?"));
}

TEST(Program, CompletionKnowsEveryCommandAndOption) {
  for (const std::string shell : {"bash", "zsh"}) {
    const Outcome script = run({"completion", shell});
    EXPECT_EQ(script.code.value(), 0);
    for (const CommandEntry& entry : command_list()) {
      EXPECT_THAT(script.out, HasSubstr(std::string(entry.name))) << shell;
    }
    for (const char* word : {"--max-context", "--print-config", "--prompt-ids", "inspect", "--help",
                             "cpu cuda ref", "--skip-special"}) {
      EXPECT_THAT(script.out, HasSubstr(word)) << shell;
    }
  }
  EXPECT_THAT(error_of({"completion", "fish"}), HasSubstr("neither bash nor zsh"));
}

}  // namespace
}  // namespace hangar
