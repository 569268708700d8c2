// hangar eval ppl: how well a model predicts a text.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/log.h"
#include "base/mapped_file.h"
#include "base/units.h"
#include "cli/clock.h"
#include "cli/commands/commands.h"
#include "cli/eval_job.h"
#include "cli/interrupt.h"
#include "cli/loading_line.h"
#include "cli/model_loading.h"
#include "cli/report.h"
#include "cli/setting_flags.h"
#include "eval/perplexity.h"
#include "eval/text.h"
#include "eval/windows.h"

namespace hangar {
namespace {

constexpr std::size_t kMaxTextBytes = 1U << 30U;
constexpr std::int32_t kUsualStepRows = 2048;
constexpr int kInterruptedExit = 130;

constexpr const char* kExamples =
    "Examples:\n"
    "  hangar eval ppl --file book.txt\n"
    "  hangar eval ppl --model hf:org/name --file wiki.test.raw --context 2048 --json\n"
    "  hangar eval ppl --file book.txt --method strided --context 1024 --stride 512\n"
    "  zcat book.gz | hangar eval ppl --file - --limit 20\n"
    "\n"
    "windows: windows side by side, of each the tokens after its middle are scored, as "
    "llama.cpp's\n"
    "llama-perplexity counts. strided: each window starts STRIDE tokens after the last and scores\n"
    "what is new in it, as the guide of Hugging Face's transformers counts. Figures of different\n"
    "ways, contexts or tokenizers do not compare.";

enum class Method : std::uint8_t { kWindows, kStrided };

class EvalCommand : public Command {
 public:
  void add_options(CLI::App& app) override;
  Result<int> run(const CommandContext& context) override;

 private:
  // What was measured, beside the options.
  struct Report {
    std::string model;
    std::string backend;
    std::size_t text_bytes = 0;
    std::size_t text_tokens = 0;
    std::size_t windows = 0;  // to do
    std::int64_t load_us = 0;
    std::int64_t run_us = 0;
    bool interrupted = false;
    PerplexityResult result;

    double tokens_per_s() const {
      return run_us > 0
                 ? static_cast<double>(result.computed_tokens) * 1e6 / static_cast<double>(run_us)
                 : 0.0;
    }
  };

  Status check_options();
  Result<std::string> read_text() const;
  Result<std::vector<EvalWindow>> cut(std::size_t tokens) const;
  std::string as_json(const Report& report) const;
  std::string as_text(const Report& report) const;

  SettingFlags settings_;
  std::string file_;
  std::string method_name_ = "windows";
  Method method_ = Method::kWindows;
  std::int32_t context_ = 512;
  std::int32_t stride_ = 0;
  std::int32_t batch_ = 0;
  std::int64_t limit_ = 0;
  bool json_ = false;
  CLI::Option* stride_given_ = nullptr;
};

void EvalCommand::add_options(CLI::App& app) {
  CLI::App& ppl = *app.add_subcommand("ppl", "Perplexity of a text");
  app.require_subcommand(1);
  ppl.add_option("-f,--file", file_, "The text; - for standard input")
      ->type_name("FILE")
      ->required();
  ppl.add_option("--method", method_name_, "How to count (default windows)")
      ->type_name("windows|strided");
  ppl.add_option("-c,--context", context_, "Tokens of a window (default 512)")
      ->type_name("TOKENS")
      ->check(CLI::Range(3, 1 << 24));
  stride_given_ = ppl.add_option("--stride", stride_,
                                 "strided: tokens from a window to the next (default: half of the "
                                 "context)")
                      ->type_name("TOKENS")
                      ->check(CLI::Range(1, 1 << 24));
  ppl.add_option("--batch", batch_,
                 "Windows computed together (default: as many as make 2048 tokens)")
      ->type_name("N")
      ->check(CLI::Range(1, 1 << 16));
  ppl.add_option("--limit", limit_, "Only the first N windows")
      ->type_name("N")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 40));
  ppl.add_flag("--json", json_, "One JSON object with everything");
  settings_.set_default(Setting::kLogLevel, "warn");
  settings_.add(ppl, {Setting::kModel, Setting::kModelsDir, Setting::kThreads, Setting::kBackend,
                      Setting::kQuant, Setting::kKvType, Setting::kLogLevel});
  app.footer(kExamples);
  ppl.footer(kExamples);
}

Status EvalCommand::check_options() {
  if (method_name_ == "windows") {
    method_ = Method::kWindows;
  } else if (method_name_ == "strided") {
    method_ = Method::kStrided;
  } else {
    return make_error(ErrorCode::kInvalidArgument, "--method: '{}' is neither windows nor strided",
                      method_name_);
  }
  if (stride_given_->count() > 0 && method_ != Method::kStrided) {
    return make_error(ErrorCode::kInvalidArgument, "--stride needs --method strided");
  }
  if (stride_ == 0) stride_ = std::max(1, context_ / 2);
  if (stride_ > context_) {
    return make_error(ErrorCode::kInvalidArgument,
                      "--stride: {} tokens would leave out text between windows of {}", stride_,
                      context_);
  }
  if (batch_ == 0) batch_ = std::max(1, kUsualStepRows / context_);
  return {};
}

Result<std::string> EvalCommand::read_text() const {
  if (file_ != "-") return read_text_file(file_, kMaxTextBytes);
  if (::isatty(STDIN_FILENO) == 1) report_note("Type the text, then Ctrl-D:");
  return read_all(STDIN_FILENO, "standard input", kMaxTextBytes);
}

Result<std::vector<EvalWindow>> EvalCommand::cut(std::size_t tokens) const {
  const auto count = static_cast<std::int64_t>(tokens);
  HANGAR_TRY(std::vector<EvalWindow> windows, method_ == Method::kWindows
                                                  ? half_windows(count, context_)
                                                  : strided_windows(count, context_, stride_));
  if (limit_ > 0 && limit_ < std::ssize(windows)) {
    windows.resize(static_cast<std::size_t>(limit_));
  }
  return windows;
}

std::string EvalCommand::as_json(const Report& report) const {
  const PerplexityResult& result = report.result;
  boost::json::object out;
  out["model"] = report.model;
  out["backend"] = report.backend;
  out["method"] = method_name_;
  out["context"] = context_;
  if (method_ == Method::kStrided) out["stride"] = stride_;
  out["batch"] = batch_;
  out["text_bytes"] = report.text_bytes;
  out["tokens"] = report.text_tokens;
  out["windows"] = result.windows;
  out["windows_asked"] = report.windows;
  out["scored_tokens"] = result.scored_tokens;
  out["counted_tokens"] = result.tally.count();
  out["computed_tokens"] = result.computed_tokens;
  // NaN, which becomes null, where nothing was counted.
  out["nll"] = result.tally.mean();
  out["ppl"] = result.tally.perplexity();
  out["stderr"] = result.windows > 0 ? boost::json::value(result.tally.standard_error())
                                     : boost::json::value(nullptr);
  out["seconds"] = static_cast<double>(report.run_us) / 1e6;
  out["tokens_per_s"] = report.tokens_per_s();
  out["load_seconds"] = static_cast<double>(report.load_us) / 1e6;
  out["interrupted"] = report.interrupted;
  return write_json(out) + "\n";
}

std::string EvalCommand::as_text(const Report& report) const {
  const PerplexityResult& result = report.result;
  if (result.windows == 0) return "";
  const std::string counted =
      method_ == Method::kWindows
          ? fmt::format("{} tokens, those after the middle of {} windows of {}",
                        result.scored_tokens, result.windows, context_)
          : fmt::format("{:.0f} tokens, those new in {} windows of up to {}, {} apart",
                        result.tally.count(), result.windows, context_, stride_);
  return fmt::format(
      "perplexity  {:.4f} +- {:.4f}\n"
      "counted     {}\n"
      "text        {} tokens, {} bytes\n"
      "speed       {:.1f} tokens/s: {} tokens in {}\n",
      result.tally.perplexity(), result.tally.standard_error(), counted, report.text_tokens,
      report.text_bytes, report.tokens_per_s(), result.computed_tokens,
      format_duration(report.run_us));
}

Result<int> EvalCommand::run(const CommandContext& context) {
  HANGAR_CHECK_OK(check_options());
  HANGAR_TRY(const Settings settings, settings_.resolve());
  HANGAR_CHECK_OK(start_log(settings.text(Setting::kLogLevel)));
  HANGAR_TRY(const StoredModel stored, find_model(settings));
  HANGAR_TRY(const std::string text, read_text());
  HANGAR_TRY(const auto tokenizer, open_tokenizer(stored));
  const EvalText tokens = method_ == Method::kWindows ? tokens_for_windows(*tokenizer, text)
                                                      : tokens_for_strides(*tokenizer, text);
  HANGAR_TRY(const std::vector<EvalWindow> windows, cut(tokens.tokens.size()));

  const LocalEngineOptions engine = engine_options(settings);
  EvalOptions options;
  options.backend = engine.backend;
  options.threads = engine.threads;
  options.kv_type = engine.kv_type;
  options.quant = engine.quant;
  options.context_tokens = context_;
  options.batch_windows = batch_;
  options.step_rows = std::min(kUsualStepRows, std::max(1, batch_) * context_);

  Report report;
  report.model = stored.id;
  report.text_bytes = text.size();
  report.text_tokens = tokens.tokens.size();
  report.windows = windows.size();
  const std::int64_t load_start_us = steady_now_us();
  HANGAR_TRY(const auto checkpoint, open_checkpoint(stored.path));
  const auto load = [&] {
    const LoadingLine line("loading " + stored.id);
    return PerplexityProbe::make(*checkpoint, options);
  };
  auto probe = load();
  if (!probe && probe.error().code == ErrorCode::kUnsupported) {
    return tl::unexpected<Error>(
        with_hint(std::move(probe.error()), "perplexity needs a model that generates text"));
  }
  if (!probe) return tl::unexpected<Error>(std::move(probe.error()));
  report.load_us = steady_now_us() - load_start_us;
  report.backend = (*probe)->backend_description();

  const InterruptScope interrupts;
  const std::int64_t start_us = steady_now_us();
  EvalJob job(**probe, tokens, windows);
  HANGAR_TRY(report.result, job.wait());
  report.run_us = steady_now_us() - start_us;
  report.interrupted = job.interrupted();

  const std::string written = json_ ? as_json(report) : as_text(report);
  HANGAR_CHECK_OK(context.out.write(written));
  HANGAR_CHECK_OK(context.out.flush());
  if (report.interrupted) {
    report_note(
        fmt::format("interrupted after {} of {} windows", report.result.windows, report.windows));
    // The step under way may take long, and nobody waits for it any more.
    std::_Exit(kInterruptedExit);
  }
  return 0;
}

}  // namespace

std::unique_ptr<Command> make_eval_command() {
  return std::make_unique<EvalCommand>();
}

}  // namespace hangar
