// hangar bench batching: the same load through every batching policy, on this machine.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bench/batching.h"
#include "bench/batching_report.h"
#include "bench/calibration.h"
#include "bench/words.h"
#include "cli/commands/bench_load_flags.h"
#include "cli/commands/bench_parts.h"
#include "cli/commands/bench_progress.h"
#include "cli/interrupt.h"
#include "cli/loading_line.h"
#include "cli/model_loading.h"
#include "cli/report.h"
#include "cli/setting_flags.h"
#include "engine/local_engine.h"
#include "text/chat_template.h"

namespace hangar {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  hangar bench batching\n"
    "  hangar bench batching -c 16 -n 96 --html batching.html\n"
    "  hangar bench batching --rate 4 --policies dynamic,continuous --slo-ttft-ms 1000\n"
    "\n"
    "No server is in between: each policy gets an engine of its own and the same requests. The\n"
    "places for sequences are as many as --concurrency, unless --max-running says otherwise.";

constexpr int kInterruptedExit = 130;

// Prompts to token ids, as the server would: the model's template for messages.
class Encoder {
 public:
  static Result<Encoder> make(const Checkpoint& checkpoint) {
    Encoder encoder;
    HANGAR_TRY(TokenizerSpec spec, checkpoint.tokenizer());
    HANGAR_TRY(encoder.tokenizer_, make_tokenizer(std::move(spec)));
    if (const auto source = default_template(checkpoint)) {
      HANGAR_TRY(encoder.template_, ChatTemplate::parse(source->text));
    }
    return encoder;
  }

  Result<std::vector<TokenId>> encode(const bench::BenchPrompt& prompt) const {
    if (!prompt.messages) {
      return tokenizer_->encode(prompt.text, {.add_special = true, .parse_special = true});
    }
    if (!template_) {
      return make_error(ErrorCode::kUnsupported, "messages: the model has no chat template");
    }
    boost::json::object context = {{"messages", *prompt.messages}, {"add_generation_prompt", true}};
    const TokenizerSpec& spec = tokenizer_->spec();
    fill(context, "bos_token", spec, spec.bos);
    fill(context, "eos_token", spec, spec.eos);
    HANGAR_TRY(const std::string text, template_->render(context));
    return tokenizer_->encode(text, {.add_special = false, .parse_special = true});
  }

  Result<std::optional<std::int64_t>> count(const std::string& text, bool add_special) const {
    const auto ids = tokenizer_->encode(text, {.add_special = add_special, .parse_special = true});
    return static_cast<std::int64_t>(ids.size());
  }
  const Tokenizer& tokenizer() const { return *tokenizer_; }

 private:
  static void fill(boost::json::object& context, const char* key, const TokenizerSpec& spec,
                   std::optional<TokenId> id) {
    if (!id || *id < 0 || static_cast<std::size_t>(*id) >= spec.tokens.size()) return;
    context[key] = spec.tokens[static_cast<std::size_t>(*id)];
  }

  std::unique_ptr<const Tokenizer> tokenizer_;
  std::optional<ChatTemplate> template_;
};

class BenchBatching : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_option("--policies", policies_, "Those to run, separated by commas")
        ->delimiter(',')
        ->check(CLI::IsMember({"none", "static", "dynamic", "continuous"}));
    load_.add(app);
    settings_.add(
        app, {Setting::kModel, Setting::kModelsDir, Setting::kLoad, Setting::kThreads,
              Setting::kPinThreads, Setting::kPreparedWeights, Setting::kMaxContext,
              Setting::kBackend, Setting::kMaxRunning, Setting::kStepTokens, Setting::kBatchWaitMs,
              Setting::kQuant, Setting::kKvType, Setting::kKvMemory, Setting::kGpuMemory,
              Setting::kPrefixCache, Setting::kSpeculate});
    app.footer(kExamples);
  }

  Result<int> run(const CommandContext& context) override;

 private:
  std::vector<BatchingPolicy> policies() const;

  SettingFlags settings_;
  BenchLoadFlags load_{{.concurrency = 16,
                        .requests = 64,
                        .prompt_tokens = "uniform:32-256",
                        .output_tokens = "lognormal:96,80"}};
  std::vector<std::string> policies_;
};

std::vector<BatchingPolicy> BenchBatching::policies() const {
  std::vector<BatchingPolicy> policies;
  for (const auto& [policy, name] : kBatchingNames) {
    const bool named = std::find(policies_.begin(), policies_.end(), name) != policies_.end();
    if (policies_.empty() || named) policies.push_back(policy);
  }
  return policies;
}

Result<int> BenchBatching::run(const CommandContext& context) {
  HANGAR_TRY(const Settings settings, settings_.resolve());
  HANGAR_TRY(BenchLoadPlan plan, load_.plan());
  HANGAR_TRY(const StoredModel stored, find_model(settings));
  HANGAR_TRY(std::unique_ptr<Checkpoint> opened, open_model(stored));
  const std::shared_ptr<const Checkpoint> checkpoint = std::move(opened);
  HANGAR_TRY(const Encoder encoder, Encoder::make(*checkpoint));
  bench::WordCost cost;
  if (plan.is_synthetic()) {
    const bench::CalibrationSources sources = {
        [&](const std::string& text) { return encoder.count(text, false); },
        [&](const std::string& text) { return encoder.count(text, true); }};
    HANGAR_TRY(cost, bench::calibrate_words(bench::common_words(), sources));
  }

  LocalEngineOptions options = engine_options(settings);
  if (settings.value(Setting::kMaxRunning).source == SettingSource::kDefault) {
    options.batching.max_sequences = plan.load.concurrency;
  }
  options.max_waiting = std::max(options.max_waiting, plan.load.concurrency);
  bench::BatchingPlan batching;
  batching.policies = policies();
  batching.make_engine = [&](BatchingPolicy policy) {
    const LoadingLine line(fmt::format("{}: loading {}", kBatchingNames.of(policy), stored.id));
    LocalEngineOptions own = options;
    own.batching.policy = policy;
    return make_local_engine(checkpoint, own);
  };
  batching.make_prompts = [&] { return plan.make_prompts(cost); };
  batching.encode = [&](const bench::BenchPrompt& prompt) { return encoder.encode(prompt); };
  batching.request.ignore_eos = load_.ignore_eos();
  batching.request.stop_tokens = encoder.tokenizer().end_of_generation();
  batching.request.temperature = static_cast<float>(load_.temperature());
  batching.request.seed = plan.load.seed;
  batching.load = plan.load;
  batching.targets = plan.targets;

  bench::BatchingReport report;
  {
    const InterruptScope interrupts;
    BenchProgressLine line(plan.load);
    batching.tick = [&](BatchingPolicy policy, const bench::LoadProgress& progress) {
      line.show(kBatchingNames.of(policy), progress);
      return !InterruptScope::pending();
    };
    HANGAR_TRY(report.runs, bench::run_batching(batching));
  }
  const EngineInfo& info = report.runs.front().info;
  report.targets = plan.targets;
  report.slots = options.batching.max_sequences;
  report.facts = {{"model", info.model},
                  {"compute", info.backend},
                  {"slots", fmt::format("{} sequences at once, steps of at most {} tokens",
                                        report.slots, info.step_tokens)}};
  report.facts.insert(report.facts.end(), plan.facts.begin(), plan.facts.end());
  HANGAR_CHECK_OK(load_.write_reports(context.out, bench::batching_tables(report),
                                      bench::batching_json(report), bench::batching_page(report)));
  if (report.runs.size() < batching.policies.size()) {
    HANGAR_CHECK_OK(context.out.flush());  // the note comes after the figures
    report_note("stopped early: only the policies that were through are reported");
    return kInterruptedExit;
  }
  return 0;
}

}  // namespace

std::unique_ptr<Command> make_bench_batching() {
  return std::make_unique<BenchBatching>();
}

}  // namespace hangar
