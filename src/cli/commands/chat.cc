// hangar chat: a conversation in the terminal.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/nearest.h"
#include "base/paths.h"
#include "base/units.h"
#include "cli/answer.h"
#include "cli/commands/commands.h"
#include "cli/conversation.h"
#include "cli/interrupt.h"
#include "cli/line_editor.h"
#include "cli/model_loading.h"
#include "cli/report.h"
#include "cli/sampling_flags.h"
#include "cli/setting_flags.h"
#include "serve/chat_prompt.h"

namespace hangar {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  hangar chat\n"
    "  hangar chat --model llama-3.2-1b-instruct --system \"Answer in one sentence.\"\n"
    "  printf 'Hello!\\nWhat did I say?\\n' | hangar chat --temperature 0\n"
    "\n"
    "In the conversation: /help lists the commands; Ctrl-C stops an answer; Ctrl-D leaves.\n"
    "Lines typed are kept in $XDG_STATE_HOME/hangar/chat_history (~/.local/state by default).";

constexpr std::string_view kHelp =
    "  /reset         forget the conversation\n"
    "  /system TEXT   set the system message (without TEXT: show it); /system - removes it\n"
    "  /stats         tokens and speed of the last answer and of all\n"
    "  /help          this list\n"
    "  /quit          leave, as Ctrl-D does\n"
    "Ctrl-C stops an answer. A message that begins with '/' is typed with two: //.\n";

// Tokens that an answer should at least have room for.
constexpr std::int32_t kAnswerRoomTokens = 64;

class Chat {
 public:
  Chat(ServedModel& model, const SamplingFlags& sampling, Output& out)
      : model_(model), sampling_(sampling), out_(out) {}

  Conversation& conversation() { return conversation_; }
  // False: leave.
  Result<bool> take_line(std::string line, bool interactive);

 private:
  Result<bool> run_command(const ChatCommand& command);
  Status answer(const std::string& question, bool interactive);
  Result<std::vector<TokenId>> fitting_prompt();
  std::string stats() const;

  ServedModel& model_;
  const SamplingFlags& sampling_;
  Output& out_;
  Conversation conversation_;
  Answer last_;
  std::int64_t answers_ = 0;
  std::int64_t generated_tokens_ = 0;
  std::int64_t answer_time_us_ = 0;
};

Result<bool> Chat::take_line(std::string line, bool interactive) {
  ChatCommand command;
  if (parse_chat_command(line, command)) return run_command(command);
  if (line.find_first_not_of(" \t") == std::string::npos) return true;
  const Status status = answer(line, interactive);
  // A question that cannot be answered does not end a person's conversation; lost output does, and
  // in a script every error does.
  if (!status && (!interactive || status.error().code == ErrorCode::kIo)) {
    return tl::unexpected<Error>(status.error());
  }
  if (!status) report_error(status.error());
  return true;
}

Result<bool> Chat::run_command(const ChatCommand& command) {
  static constexpr std::array<std::string_view, 7> kNames = {"reset", "system", "stats", "help",
                                                             "quit",  "exit",   "?"};
  if (command.name == "quit" || command.name == "exit") return false;
  if (command.name == "reset") {
    conversation_.reset();
    HANGAR_CHECK_OK(out_.write("The conversation is forgotten.\n"));
  } else if (command.name == "system") {
    if (command.argument.empty()) {
      HANGAR_CHECK_OK(out_.print("System message: {}\n", conversation_.system().empty()
                                                             ? "(the template's own, if any)"
                                                             : conversation_.system()));
    } else {
      conversation_.set_system(command.argument == "-" ? "" : command.argument);
      HANGAR_CHECK_OK(out_.write("The system message is set; /reset starts afresh with it.\n"));
    }
  } else if (command.name == "stats") {
    HANGAR_CHECK_OK(out_.write(stats()));
  } else if (command.name == "help" || command.name == "?") {
    HANGAR_CHECK_OK(out_.write(kHelp));
  } else {
    const std::vector<std::string> names(kNames.begin(), kNames.end());
    const auto near = nearest_name(command.name, names);
    HANGAR_CHECK_OK(out_.print("There is no /{}; {}\n", command.name,
                               near ? fmt::format("did you mean /{}?", *near)
                                    : std::string("/help lists what there is.")));
  }
  HANGAR_CHECK_OK(out_.flush());
  return true;
}

// The prompt of the whole conversation, or of as much of its end as fits.
Result<std::vector<TokenId>> Chat::fitting_prompt() {
  const std::int64_t context_tokens = model_.engine().info().context_tokens;
  const std::int64_t room = std::min(kAnswerRoomTokens, sampling_.max_tokens());
  std::size_t forgotten = 0;
  while (true) {
    HANGAR_TRY(ChatPrompt prompt, make_chat_prompt(model_, conversation_.request_context()));
    const std::size_t before = conversation_.messages();
    const bool fits = static_cast<std::int64_t>(prompt.ids.size()) + room <= context_tokens;
    if (fits || !conversation_.forget_oldest()) {
      if (forgotten > 0) {
        report_note(
            fmt::format("[the oldest {} messages no longer fit and were forgotten]", forgotten));
      }
      return std::move(prompt.ids);
    }
    forgotten += before - conversation_.messages();
  }
}

Status Chat::answer(const std::string& question, bool interactive) {
  conversation_.add_question(question);
  TextRequest request;
  auto ids = fitting_prompt();
  Status status = ids ? Status() : Status(tl::unexpected<Error>(ids.error()));
  if (status) {
    request.request.prompt = std::move(*ids);
    status = sampling_.apply(request.request, model_.engine().info().context_tokens,
                             model_.generation_defaults());
  }
  if (!status) {
    conversation_.drop_last();
    return status;
  }
  request.stop = sampling_.stop();
  auto answered = run_answer(model_, std::move(request), [&](std::string_view text) -> Status {
    HANGAR_CHECK_OK(out_.write(text));
    return out_.flush();
  });
  if (!answered) {
    conversation_.drop_last();
    return tl::unexpected<Error>(std::move(answered.error()));
  }
  last_ = std::move(*answered);
  ++answers_;
  generated_tokens_ += last_.usage.completion_tokens;
  answer_time_us_ += last_.total_us;
  // What was said before Ctrl-C was said: it stays in the conversation.
  conversation_.add_answer(last_.text);
  HANGAR_CHECK_OK(out_.write(last_.interrupted ? " [stopped]\n" : "\n"));
  if (interactive && last_.finish == FinishReason::kLength && !last_.interrupted) {
    HANGAR_CHECK_OK(out_.write("[cut at the token limit]\n"));
  }
  return out_.flush();
}

std::string Chat::stats() const {
  const EngineInfo& info = model_.engine().info();
  if (answers_ == 0)
    return fmt::format("No answer yet. Context: {} tokens.\n", info.context_tokens);
  const std::int32_t used = last_.usage.prompt_tokens + last_.usage.completion_tokens;
  const double seconds = static_cast<double>(answer_time_us_) * 1e-6;
  return fmt::format(
      "Last answer: {} prompt tokens ({} from cache), first token after {}, {} tokens, {:.1f} "
      "tokens/s.\n"
      "All: {} answers, {} tokens, {:.1f} tokens/s with prompts.\n"
      "Context: {} of {} tokens used. {}\n",
      last_.usage.prompt_tokens, last_.usage.cached_tokens, format_duration(last_.first_us),
      last_.usage.completion_tokens, last_.decode_tokens_per_s(), answers_, generated_tokens_,
      seconds > 0 ? static_cast<double>(generated_tokens_) / seconds : 0.0, used,
      info.context_tokens, info.backend);
}

class ChatCommandLine : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_option("--system", system_, "The system message")->type_name("TEXT");
    sampling_.add(app);
    settings_.set_default(Setting::kLogLevel, "warn");
    settings_.add(app, {Setting::kModel, Setting::kModelsDir, Setting::kThreads,
                        Setting::kPinThreads, Setting::kPreparedWeights, Setting::kMaxContext,
                        Setting::kBackend, Setting::kQuant, Setting::kLogLevel});
    app.footer(kExamples);
  }

  Result<int> run(const CommandContext& context) override {
    HANGAR_TRY(const Settings settings, settings_.resolve());
    HANGAR_CHECK_OK(start_log(settings.text(Setting::kLogLevel)));
    Request checked;
    HANGAR_CHECK_OK(sampling_.apply(checked, std::numeric_limits<std::int32_t>::max()));
    HANGAR_TRY(const StoredModel stored, find_model(settings));
    HANGAR_TRY(const std::unique_ptr<ServedModel> model,
               load_model_shown(stored, engine_options(settings)));
    if (model->chat_template() == nullptr) {
      return tl::unexpected<Error>(with_hint(
          {ErrorCode::kUnsupported, model->id() + ": has no chat template, so it cannot chat"},
          "`hangar generate` continues a text with it"));
    }
    const InterruptScope interrupts;
    const auto editor = make_line_editor(state_folder() / "chat_history");
    if (editor->interactive()) {
      HANGAR_CHECK_OK(context.out.print("{} - /help for commands, Ctrl-D to leave\n", model->id()));
      HANGAR_CHECK_OK(context.out.flush());
    }
    Chat chat(*model, sampling_, context.out);
    chat.conversation().set_system(system_);
    return talk(chat, *editor, context.out);
  }

 private:
  static Result<int> talk(Chat& chat, LineEditor& editor, Output& out) {
    std::string line;
    while (true) {
      switch (editor.read("> ", line)) {
        case LineEnd::kEnd:
          if (editor.interactive()) HANGAR_CHECK_OK(out.write("\n"));
          return 0;
        case LineEnd::kInterrupted:
          // In a script nobody would come to press Ctrl-D.
          if (!editor.interactive()) return 130;
          HANGAR_CHECK_OK(out.write("\n"));
          HANGAR_CHECK_OK(out.flush());
          break;
        case LineEnd::kLine: {
          HANGAR_TRY(const bool go_on, chat.take_line(line, editor.interactive()));
          if (!go_on) return 0;
          break;
        }
      }
    }
  }

  SettingFlags settings_;
  SamplingFlags sampling_{0.7, 1024};
  std::string system_;
};

}  // namespace

std::unique_ptr<Command> make_chat_command() {
  return std::make_unique<ChatCommandLine>();
}

}  // namespace hangar
