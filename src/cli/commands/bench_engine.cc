// hangar bench engine: an engine by itself, offline: decode, loads, prefill and the first token.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/process_age.h"
#include "bench/offline/offline_report.h"
#include "bench/offline/offline_run.h"
#include "cli/commands/bench_output.h"
#include "cli/commands/bench_parts.h"
#include "cli/commands/offline_setup.h"
#include "cli/interrupt.h"
#include "cli/loading_line.h"
#include "cli/model_loading.h"
#include "cli/report.h"
#include "cli/setting_flags.h"
#include "engine/local_engine.h"

namespace hangar {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  hangar bench engine\n"
    "  hangar bench engine --batch 1,8,64 --input-tokens 128 --output-tokens 256\n"
    "  hangar bench engine --requests 2000 --output-tokens 128 --json figures.json\n"
    "  hangar bench engine --load dummy --model bench/shapes/llama-3-8b --backend cuda \\\n"
    "      --suite gpu --bandwidth 4530 --flops 780\n"
    "\n"
    "Random prompts, greedy, to their full length; no HTTP, no text. Without tests of your own\n"
    "the suite \"small\" runs. --bandwidth and --flops are the machine's, as measured: the bound\n"
    "is what they allow.";

constexpr int kInterruptedExit = 130;

class BenchEngine : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_option("--suite", suite_,
                   "A table of tests: small, or gpu (decode of 1 to 256 sequences, loads of 2,000 "
                   "and 1,000 requests, prefill, first token)")
        ->check(CLI::IsMember({"small", "gpu"}));
    app.add_option("-b,--batch", batches_,
                   "Steady decode of so many sequences, separated by commas")
        ->delimiter(',')
        ->check(CLI::Range(1, 4096));
    app.add_option("-n,--requests", requests_, "A load of so many requests")
        ->delimiter(',')
        ->check(CLI::Range(1, 1'000'000));
    app.add_option("-c,--concurrency", concurrency_,
                   "Of loads: requests under way at any time, as in `hangar bench serve`; without "
                   "it all are there at once")
        ->check(CLI::Range(1, 4096));
    app.add_option("--prefill", prefills_, "Prefill of so many prompts at once")
        ->delimiter(',')
        ->check(CLI::Range(1, 4096));
    app.add_flag("--first-token", first_token_, "The time to the first token of one prompt");
    app.add_option("--input-tokens", input_tokens_, "Tokens of each prompt")
        ->capture_default_str()
        ->check(CLI::Range(1, 1 << 20));
    app.add_option("--output-tokens", output_tokens_, "Tokens of each answer")
        ->capture_default_str()
        ->check(CLI::Range(2, 1 << 20));
    app.add_option("--repeats", repeats_, "Runs of each test; of a suite's its own, if not given")
        ->check(CLI::Range(1, 1000));
    app.add_option("--bandwidth", bandwidth_gb_s_, "What the machine reads, for the bound")
        ->type_name("GB/S")
        ->check(CLI::Range(1e-3, 1e9));
    app.add_option("--flops", tera_flops_, "What the machine computes, for the bound")
        ->type_name("TFLOPS")
        ->check(CLI::Range(1e-6, 1e9));
    app.add_option("--seed", seed_, "Of the prompts")->capture_default_str();
    app.add_option("--json", json_file_, "Write the figures there; - is standard output")
        ->type_name("FILE");
    settings_.set_default(Setting::kPrefixCache, "off");
    settings_.add(app, {Setting::kModel, Setting::kModelsDir, Setting::kLoad, Setting::kThreads,
                        Setting::kPinThreads, Setting::kPreparedWeights, Setting::kMaxContext,
                        Setting::kBackend, Setting::kMaxRunning, Setting::kStepTokens,
                        Setting::kQuant, Setting::kKvType, Setting::kKvMemory, Setting::kGpuMemory,
                        Setting::kPrefixCache, Setting::kSpeculate, Setting::kDeterministic});
    app.footer(kExamples);
  }

  Result<int> run(const CommandContext& context) override;

 private:
  Result<std::vector<bench::OfflineTest>> tests() const;
  Result<bench::OfflineReport> measure(Engine& engine, bench::OfflinePlan plan,
                                       bench::OfflineReport report) const;

  SettingFlags settings_;
  std::string suite_;
  std::vector<std::int32_t> batches_, requests_, prefills_;
  std::int32_t concurrency_ = 0;  // 0: all at once
  bool first_token_ = false;
  std::int32_t input_tokens_ = 128;
  std::int32_t output_tokens_ = 256;
  std::int32_t repeats_ = 0;
  double bandwidth_gb_s_ = 0.0;
  double tera_flops_ = 0.0;
  std::uint64_t seed_ = 0;
  std::string json_file_;
};

Result<std::vector<bench::OfflineTest>> BenchEngine::tests() const {
  using enum bench::OfflineKind;
  std::vector<bench::OfflineTest> own;
  const auto add = [&](bench::OfflineKind kind, std::int32_t requests) {
    const bool writes = kind == kDecode || kind == kLoad;
    own.push_back({.kind = kind,
                   .requests = requests,
                   .input_tokens = input_tokens_,
                   .output_tokens = writes ? output_tokens_ : 1});
  };
  for (const std::int32_t batch : batches_) add(kDecode, batch);
  for (const std::int32_t requests : requests_) add(kLoad, requests);
  for (const std::int32_t prompts : prefills_) add(kPrefill, prompts);
  if (first_token_) add(kFirstToken, 1);

  std::vector<bench::OfflineTest> all;
  if (suite_ == "gpu") all = bench::card_suite();
  if (suite_ == "small" || (suite_.empty() && own.empty())) all = bench::small_suite();
  all.insert(all.end(), own.begin(), own.end());
  bool loads = false;
  for (bench::OfflineTest& test : all) {
    if (repeats_ > 0) test.repeats = repeats_;
    if (test.kind != kLoad) continue;
    test.at_once = concurrency_;
    loads = true;
  }
  if (concurrency_ > 0 && !loads) {
    return make_error(
        ErrorCode::kInvalidArgument,
        "--concurrency is of a load, and none is asked for: --requests says how many");
  }
  return all;
}

// The first token of all, then the tests.
Result<bench::OfflineReport> BenchEngine::measure(Engine& engine, bench::OfflinePlan plan,
                                                  bench::OfflineReport report) const {
  const bench::RequestSet first = {
      .requests = 1,
      .input_tokens = std::min(plan.tests.front().input_tokens, engine.info().context_tokens - 1),
      .output_tokens = 1,
      .seed = seed_ + 1};
  HANGAR_CHECK_OK(bench::run_request_set(engine, first));
  report.first_token_s = process_age_s();
  if (report.first_token_s) {
    report.facts.emplace_back(
        "first token", fmt::format("{:.2f} s after the process began", *report.first_token_s));
  }
  const InterruptScope interrupts;
  OfflineProgressLine line;
  plan.tick = [&](const bench::OfflineTest& test, std::int32_t repeat) {
    line.show(test, repeat, engine.stats());
    return !InterruptScope::pending();
  };
  HANGAR_TRY(report.run, bench::run_offline(engine, plan));
  return report;
}

Result<int> BenchEngine::run(const CommandContext& context) {
  HANGAR_TRY(const Settings settings, settings_.resolve());
  bench::OfflinePlan plan;
  HANGAR_TRY(plan.tests, tests());
  HANGAR_TRY(const StoredModel stored, find_model(settings));
  const std::int64_t begin_us = steady_now_us();
  HANGAR_TRY(std::unique_ptr<Checkpoint> opened, open_model(stored));
  const std::shared_ptr<const Checkpoint> checkpoint = std::move(opened);
  HANGAR_TRY(plan.config, checkpoint->config());
  plan.seed = seed_;
  plan.rates = {bandwidth_gb_s_ * 1e9, tera_flops_ * 1e12};
  const LocalEngineOptions options = offline_engine_options(settings, plan);
  drop_peers(plan, options);
  std::unique_ptr<Engine> engine;
  {
    const LoadingLine line("loading " + stored.id);
    HANGAR_TRY(engine, make_local_engine(checkpoint, options));
  }
  bench::OfflineReport report;
  report.load_s = static_cast<double>(steady_now_us() - begin_us) * 1e-6;
  report.rates = plan.rates;
  const EngineInfo& info = engine->info();
  plan.sizes = stored_sizes(*checkpoint, plan.config, info);
  report.facts = offline_facts(*checkpoint, info, plan);
  report.facts.emplace_back("loaded", fmt::format("in {:.2f} s", report.load_s));
  HANGAR_TRY(report, measure(*engine, plan, std::move(report)));
  report.facts.emplace_back(
      "when", fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(std::time(nullptr))));

  HANGAR_CHECK_OK(write_bench_output(context.out,
                                     {.facts = report.facts,
                                      .tables = bench::offline_tables(report),
                                      .last_line = {},
                                      .json = bench::offline_json(report)},
                                     json_file_));
  if (report.run.interrupted) {
    HANGAR_CHECK_OK(context.out.flush());  // the note comes after the figures
    report_note("stopped early: only the tests that were through are reported");
    return kInterruptedExit;
  }
  return 0;
}

}  // namespace

std::unique_ptr<Command> make_bench_engine() {
  return std::make_unique<BenchEngine>();
}

}  // namespace hangar
