// hangar bench model: prefill and decode speed of a model on this machine.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/commands/bench_parts.h"
#include "cli/model_loading.h"
#include "cli/setting_flags.h"
#include "cli/table.h"
#include "engine/speed_probe.h"

namespace hangar {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  hangar bench model\n"
    "  hangar bench model -p 128,512 -n 128 --threads 2 --repeats 5 --json\n"
    "\n"
    "ppN computes a prompt of N tokens at once, tgN computes N tokens one by one; tokens per "
    "second.";

// Median, least and most of one test's repeats.
struct Spread {
  explicit Spread(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const std::size_t half = values.size() / 2;
    median = values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2.0;
    least = values.front();
    most = values.back();
  }
  double median, least, most;
};

class BenchModel : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_option("-p,--prompt-tokens", options_.prefill_tokens,
                   "Lengths of the prompts to compute, separated by commas")
        ->delimiter(',')
        ->check(CLI::Range(1, 1 << 20));
    app.add_option("-n,--decode-tokens", options_.decode_tokens,
                   "How many tokens to compute one by one, separated by commas")
        ->delimiter(',')
        ->check(CLI::Range(1, 1 << 20));
    app.add_option("--repeats", options_.repeats, "Runs of each test")->check(CLI::Range(1, 1000));
    app.add_flag("--json", json_, "A JSON list, with every run's figure");
    settings_.add(app,
                  {Setting::kModel, Setting::kModelsDir, Setting::kThreads, Setting::kBackend});
    app.footer(kExamples);
  }

  Result<int> run(const CommandContext& context) override {
    HANGAR_TRY(const Settings settings, settings_.resolve());
    HANGAR_TRY(const StoredModel stored, find_model(settings));
    HANGAR_TRY(const auto checkpoint, open_checkpoint(stored.path));
    const LocalEngineOptions engine = engine_options(settings);
    options_.backend = engine.backend;
    options_.threads = engine.threads;
    HANGAR_TRY(const auto results, run_speed_probe(*checkpoint, options_));
    if (json_) {
      boost::json::array out;
      for (const SpeedProbeResult& result : results) {
        out.push_back({{"test", result.test},
                       {"tokens_per_s", boost::json::array(result.tokens_per_s.begin(),
                                                           result.tokens_per_s.end())}});
      }
      HANGAR_CHECK_OK(context.out.write(write_json(out, 2) + "\n"));
      return 0;
    }
    std::vector<std::vector<std::string>> rows;
    for (const SpeedProbeResult& result : results) {
      const Spread spread(result.tokens_per_s);
      rows.push_back({result.test, fmt::format("{:.1f}", spread.median),
                      fmt::format("{:.1f} to {:.1f}", spread.least, spread.most)});
    }
    HANGAR_CHECK_OK(
        context.out.write(format_table({{"TEST"}, {"TOKENS/S", true}, {"RANGE"}}, rows)));
    return 0;
  }

 private:
  SettingFlags settings_;
  SpeedProbeOptions options_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_bench_model() {
  return std::make_unique<BenchModel>();
}

}  // namespace hangar
