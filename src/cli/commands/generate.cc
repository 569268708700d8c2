// hangar generate: prompt in, text out.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include "base/json.h"
#include "base/log.h"
#include "base/mapped_file.h"
#include "base/terminal.h"
#include "base/units.h"
#include "cli/answer.h"
#include "cli/clock.h"
#include "cli/commands/commands.h"
#include "cli/interrupt.h"
#include "cli/model_loading.h"
#include "cli/report.h"
#include "cli/sampling_flags.h"
#include "cli/setting_flags.h"
#include "cli/token_list.h"
#include "serve/chat_prompt.h"
#include "text/stream_decoder.h"

namespace hangar {
namespace {

constexpr std::size_t kMaxPromptBytes = 64U << 20U;
constexpr int kInterruptedExit = 130;  // as shells say it: 128 + SIGINT

constexpr const char* kExamples =
    "Examples:\n"
    "  hangar generate \"Once upon a time\" --max-tokens 60\n"
    "  hangar generate --chat \"What is the capital of France?\"\n"
    "  git diff | hangar generate --chat --system \"Write a commit message for this diff.\"\n"
    "  hangar generate --prompt-ids \"[504, 3575]\" --json --logprobs 5\n"
    "\n"
    "The prompt is the argument, --prompt, --prompt-file or standard input. Without --chat the\n"
    "model goes on with the text as it stands. The default temperature is 0, so that a script\n"
    "gets the same text each time. Text comes without an added newline, except on a terminal.";

boost::json::object token_json(TokenId id, std::string_view bytes, std::optional<float> logprob) {
  boost::json::object out;
  out["id"] = id;
  out["text"] = to_valid_utf8(bytes);
  boost::json::array numbers;
  for (const char c : bytes)
    numbers.push_back(static_cast<unsigned>(static_cast<unsigned char>(c)));
  out["bytes"] = std::move(numbers);
  out["logprob"] = nullptr;
  if (logprob) out["logprob"] = static_cast<double>(*logprob);
  return out;
}

boost::json::array tokens_json(const std::vector<OutputToken>& tokens) {
  boost::json::array out;
  for (const OutputToken& token : tokens) {
    boost::json::object one = token_json(token.id, token.bytes, token.logprob);
    boost::json::array top;
    for (const TokenAlternative& other : token.top) {
      top.push_back(token_json(other.id, other.bytes, other.logprob));
    }
    one["top"] = std::move(top);
    out.push_back(std::move(one));
  }
  return out;
}

class GenerateCommand : public Command {
 public:
  void add_options(CLI::App& app) override;
  Result<int> run(const CommandContext& context) override;

 private:
  Result<std::string> read_prompt() const;
  Result<std::vector<TokenId>> encode(const ServedModel& model, const std::string& prompt) const;
  std::string result_json(const ServedModel& model, const std::vector<TokenId>& prompt,
                          const Answer& answer, std::int64_t load_us) const;
  void report_timings(const Answer& answer, std::int64_t load_us) const;

  SettingFlags settings_;
  SamplingFlags sampling_{0, 128};
  std::string prompt_argument_;
  std::string prompt_option_;
  std::string prompt_file_;
  std::string prompt_ids_;
  std::string system_;
  int logprobs_ = -1;
  bool chat_ = false;
  bool raw_ = false;
  bool echo_ = false;
  bool keep_special_ = false;
  bool json_ = false;
  bool timings_ = false;
  CLI::Option* argument_given_ = nullptr;
  CLI::Option* option_given_ = nullptr;
  CLI::Option* file_given_ = nullptr;
  CLI::Option* ids_given_ = nullptr;
  CLI::Option* system_given_ = nullptr;
  CLI::Option* logprobs_given_ = nullptr;
};

void GenerateCommand::add_options(CLI::App& app) {
  argument_given_ = app.add_option("PROMPT", prompt_argument_, "The prompt")->type_name("TEXT");
  option_given_ =
      app.add_option("-p,--prompt", prompt_option_, "The prompt, as an option")->type_name("TEXT");
  file_given_ =
      app.add_option("-f,--prompt-file", prompt_file_, "A file with the prompt")->type_name("FILE");
  ids_given_ = app.add_option("--prompt-ids", prompt_ids_,
                              "The prompt as token ids: a JSON list, or with spaces between")
                   ->type_name("JSON");
  app.add_flag("--chat", chat_, "The prompt is a user's message: use the model's chat template");
  app.add_flag("--raw", raw_, "The prompt is text to continue (the default)");
  system_given_ =
      app.add_option("--system", system_, "The system message, with --chat")->type_name("TEXT");
  app.add_flag("--echo", echo_, "Begin with the prompt itself");
  app.add_flag("--keep-special", keep_special_, "Show control tokens such as <|im_end|>");
  logprobs_given_ =
      app.add_option("--logprobs", logprobs_,
                     "With --json: log-probabilities of so many likeliest tokens at each place")
          ->type_name("N");
  app.add_flag("--json", json_,
               "One JSON object: text, token ids, log-probabilities, usage, timings");
  app.add_flag("--timings", timings_, "Say on standard error how long it took");
  sampling_.add(app);
  settings_.set_default(Setting::kLogLevel, "warn");
  settings_.add(app, {Setting::kModel, Setting::kModelsDir, Setting::kLoad, Setting::kThreads,
                      Setting::kPinThreads, Setting::kPreparedWeights, Setting::kMaxContext,
                      Setting::kBackend, Setting::kQuant, Setting::kGpuMemory, Setting::kLogLevel});
  app.footer(kExamples);
}

Result<std::string> GenerateCommand::read_prompt() const {
  int given = 0;
  for (const CLI::Option* option : {argument_given_, option_given_, file_given_, ids_given_}) {
    given += option->count() > 0 ? 1 : 0;
  }
  if (given > 1) {
    return make_error(ErrorCode::kInvalidArgument,
                      "the prompt was given more than once: use one of PROMPT, --prompt, "
                      "--prompt-file and --prompt-ids");
  }
  if (ids_given_->count() > 0) return prompt_ids_;
  if (argument_given_->count() > 0) return prompt_argument_;
  if (option_given_->count() > 0) return prompt_option_;
  if (file_given_->count() > 0 && prompt_file_ != "-") {
    return read_text_file(prompt_file_, kMaxPromptBytes);
  }
  if (::isatty(STDIN_FILENO) == 1) report_note("Type the prompt, then Ctrl-D:");
  return read_all(STDIN_FILENO, "standard input", kMaxPromptBytes);
}

Result<std::vector<TokenId>> GenerateCommand::encode(const ServedModel& model,
                                                     const std::string& prompt) const {
  std::vector<TokenId> ids;
  if (ids_given_->count() > 0) {
    HANGAR_TRY(ids, parse_token_list(prompt, "--prompt-ids", model.tokenizer().vocabulary()));
  } else if (chat_) {
    boost::json::array messages;
    if (system_given_->count() > 0) {
      messages.push_back(boost::json::object{{"role", "system"}, {"content", system_}});
    }
    messages.push_back(boost::json::object{{"role", "user"}, {"content", prompt}});
    boost::json::object context{{"messages", std::move(messages)}, {"add_generation_prompt", true}};
    HANGAR_TRY(ChatPrompt chat, make_chat_prompt(model, std::move(context)));
    ids = std::move(chat.ids);
  } else {
    ids = model.tokenizer().encode(prompt, {});
  }
  // A model needs a token to go on from.
  if (ids.empty() && model.tokenizer().spec().bos) ids.push_back(*model.tokenizer().spec().bos);
  if (ids.empty()) return make_error(ErrorCode::kInvalidArgument, "the prompt is empty");
  return ids;
}

std::string GenerateCommand::result_json(const ServedModel& model,
                                         const std::vector<TokenId>& prompt, const Answer& answer,
                                         std::int64_t load_us) const {
  boost::json::object out;
  out["model"] = model.id();
  out["prompt_ids"] = boost::json::array(prompt.begin(), prompt.end());
  boost::json::array ids;
  for (const OutputToken& token : answer.tokens) ids.push_back(token.id);
  out["ids"] = std::move(ids);
  out["text"] = answer.text;
  out["finish_reason"] = finish_name(answer.finish);
  if (echo_) out["prompt_tokens"] = tokens_json(answer.prompt_tokens);
  out["tokens"] = tokens_json(answer.tokens);
  out["usage"] = {{"prompt_tokens", answer.usage.prompt_tokens},
                  {"cached_tokens", answer.usage.cached_tokens},
                  {"completion_tokens", answer.usage.completion_tokens}};
  out["timings"] = {{"load_ms", static_cast<double>(load_us) / 1000},
                    {"first_token_ms", static_cast<double>(answer.first_us) / 1000},
                    {"total_ms", static_cast<double>(answer.total_us) / 1000},
                    {"prompt_tokens_per_s", answer.prompt_tokens_per_s()},
                    {"decode_tokens_per_s", answer.decode_tokens_per_s()}};
  return write_json(out) + "\n";
}

void GenerateCommand::report_timings(const Answer& answer, std::int64_t load_us) const {
  report_note(fmt::format(
      "loaded in {}; {} prompt tokens, first token after {} ({:.1f} tokens/s); {} tokens in {} "
      "({:.1f} tokens/s)",
      format_duration(load_us), answer.usage.prompt_tokens, format_duration(answer.first_us),
      answer.prompt_tokens_per_s(), answer.usage.completion_tokens,
      format_duration(answer.total_us), answer.decode_tokens_per_s()));
}

Result<int> GenerateCommand::run(const CommandContext& context) {
  if (chat_ && raw_) {
    return make_error(ErrorCode::kInvalidArgument, "--chat and --raw exclude each other");
  }
  if (system_given_->count() > 0 && !chat_) {
    return make_error(ErrorCode::kInvalidArgument, "--system needs --chat");
  }
  if (chat_ && ids_given_->count() > 0) {
    return make_error(ErrorCode::kInvalidArgument, "--chat needs a prompt of text, not of ids");
  }
  if (logprobs_given_->count() > 0 && (!json_ || logprobs_ < 0 || logprobs_ > 100)) {
    return make_error(ErrorCode::kInvalidArgument, "--logprobs: {}",
                      json_ ? "must be from 0 to 100" : "needs --json");
  }
  HANGAR_TRY(const Settings settings, settings_.resolve());
  HANGAR_CHECK_OK(start_log(settings.text(Setting::kLogLevel)));
  TextRequest request;
  // Wrong flags are said before a prompt is waited for and a model is loaded.
  HANGAR_CHECK_OK(sampling_.apply(request.request, std::numeric_limits<std::int32_t>::max()));
  HANGAR_TRY(const StoredModel stored, find_model(settings));
  HANGAR_TRY(const std::string prompt, read_prompt());

  const std::int64_t load_start_us = steady_now_us();
  HANGAR_TRY(const std::unique_ptr<ServedModel> model,
             load_model_shown(stored, engine_options(settings)));
  const std::int64_t load_us = steady_now_us() - load_start_us;
  HANGAR_TRY(const std::vector<TokenId> ids, encode(*model, prompt));
  request.request.prompt = ids;
  HANGAR_CHECK_OK(sampling_.apply(request.request, model->engine().info().context_tokens,
                                  model->generation_defaults()));
  request.request.logprobs = json_ ? std::max(logprobs_, 0) : -1;
  request.request.prompt_logprobs = json_ && echo_;
  request.stop = sampling_.stop();
  request.echo = echo_;
  request.keep_special = keep_special_;

  const InterruptScope interrupts;
  HANGAR_TRY(const Answer answer,
             run_answer(*model, std::move(request), [&](std::string_view text) -> Status {
               if (json_) return {};
               HANGAR_CHECK_OK(context.out.write(text));
               return context.out.flush();
             }));
  if (json_) {
    HANGAR_CHECK_OK(context.out.write(result_json(*model, ids, answer, load_us)));
  } else if (::isatty(context.out.fd()) == 1 && !answer.text.ends_with('\n')) {
    HANGAR_CHECK_OK(context.out.write("\n"));
  }
  HANGAR_CHECK_OK(context.out.flush());
  if (timings_) report_timings(answer, load_us);
  return answer.interrupted ? kInterruptedExit : 0;
}

}  // namespace

std::unique_ptr<Command> make_generate_command() {
  return std::make_unique<GenerateCommand>();
}

}  // namespace hangar
