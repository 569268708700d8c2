// hangar bench model: prefill and decode speed of a model on this machine, and where it goes.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <memory>
#include <string>
#include <vector>

#include "backend/cpu/instruction_set.h"
#include "base/json.h"
#include "cli/commands/bench_parts.h"
#include "cli/model_loading.h"
#include "cli/setting_flags.h"
#include "cli/step_account_report.h"
#include "cli/table.h"
#include "engine/speed_probe.h"

namespace hangar {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  hangar bench model\n"
    "  hangar bench model -p 128,512 -n 128 --threads 2 --repeats 5 --json\n"
    "  hangar bench model -p 0 -n 128 -d 128 -b 1,16     sixteen sequences together\n"
    "  hangar bench model --account                      where a step's time goes\n"
    "\n"
    "ppN computes a prompt of N tokens at once, tgN computes N tokens one by one; xB: of B "
    "sequences at a time, @ dD: behind D tokens; tokens per second.";

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

std::string speeds_json(const std::vector<SpeedProbeResult>& results) {
  boost::json::array out;
  for (const SpeedProbeResult& result : results) {
    out.push_back({{"test", result.test.name()},
                   {"tokens_per_s",
                    boost::json::array(result.tokens_per_s.begin(), result.tokens_per_s.end())}});
  }
  return write_json(out, 2) + "\n";
}

std::string speeds_table(const std::vector<SpeedProbeResult>& results) {
  std::vector<std::vector<std::string>> rows;
  for (const SpeedProbeResult& result : results) {
    const Spread spread(result.tokens_per_s);
    rows.push_back({result.test.name(), fmt::format("{:.1f}", spread.median),
                    fmt::format("{:.1f} to {:.1f}", spread.least, spread.most)});
  }
  return format_table({{"TEST"}, {"TOKENS/S", true}, {"RANGE"}}, rows);
}

class BenchModel : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_option("-p,--prompt-tokens", options_.prefill_tokens,
                   "Lengths of the prompts to compute, separated by commas; 0: none")
        ->delimiter(',')
        ->check(CLI::Range(0, 1 << 20));
    app.add_option("-n,--decode-tokens", options_.decode_tokens,
                   "How many tokens to compute one by one, separated by commas; 0: none")
        ->delimiter(',')
        ->check(CLI::Range(0, 1 << 20));
    app.add_option("-b,--batch", options_.sequences,
                   "How many sequences decode together, separated by commas")
        ->delimiter(',')
        ->check(CLI::Range(1, 1024));
    app.add_option("-d,--depth", options_.depth_tokens,
                   "Tokens of context before each test; not counted")
        ->check(CLI::Range(0, 1 << 20));
    app.add_option("--repeats", options_.repeats, "Runs of each test")->check(CLI::Range(1, 1000));
    app.add_option("--instruction-set", instruction_set_,
                   "Compute with this one in place of the best the processor has");
    app.add_flag("--account", account_,
                 "Where a step's time goes, by operation, in place of speeds");
    app.add_flag("--json", json_, "A JSON list, with every run's figure");
    settings_.add(app, {Setting::kModel, Setting::kModelsDir, Setting::kLoad, Setting::kThreads,
                        Setting::kBackend, Setting::kQuant});
    app.footer(kExamples);
  }

  Result<int> run(const CommandContext& context) override {
    std::erase(options_.prefill_tokens, 0);
    std::erase(options_.decode_tokens, 0);
    if (probe_tests(options_).empty()) {
      return make_error(ErrorCode::kInvalidArgument,
                        "there is nothing to measure: neither a prompt (-p) nor tokens (-n)");
    }
    HANGAR_TRY(const Settings settings, settings_.resolve());
    HANGAR_TRY(const StoredModel stored, find_model(settings));
    HANGAR_TRY(const auto checkpoint, open_model(stored));
    const LocalEngineOptions engine = engine_options(settings);
    options_.backend = engine.backend;
    options_.threads = engine.threads;
    options_.quant = engine.quant;
    if (!instruction_set_.empty()) HANGAR_CHECK_OK(use_instruction_set());
    HANGAR_TRY(const std::string text, account_ ? account(*checkpoint) : speeds(*checkpoint));
    HANGAR_CHECK_OK(context.out.write(text));
    return 0;
  }

 private:
  // For the whole process: it measures this and ends.
  Status use_instruction_set() const {
    if (options_.backend != "cpu") {
      return make_error(ErrorCode::kInvalidArgument,
                        "--instruction-set is for the backend \"cpu\", not for \"{}\"",
                        options_.backend);
    }
    std::string names;
    for (const cpu::InstructionSet set : cpu::supported_instruction_sets()) {
      const std::string name = cpu::instruction_set_name(set);
      if (name == instruction_set_) {
        cpu::force_instruction_set(set);
        return {};
      }
      names += (names.empty() ? "" : ", ") + name;
    }
    return make_error(ErrorCode::kInvalidArgument,
                      "this processor has no instruction set \"{}\"; it has: {}", instruction_set_,
                      names);
  }

  Result<std::string> speeds(const Checkpoint& checkpoint) const {
    HANGAR_TRY(const auto results, run_speed_probe(checkpoint, options_));
    return json_ ? speeds_json(results) : speeds_table(results);
  }

  Result<std::string> account(const Checkpoint& checkpoint) const {
    HANGAR_TRY(const auto accounts, account_steps(checkpoint, options_));
    if (json_) {
      boost::json::array out;
      for (const StepAccount& account : accounts) out.push_back(account_json(account));
      return write_json(out, 2) + "\n";
    }
    std::string text;
    for (const StepAccount& account : accounts) {
      if (!text.empty()) text += '\n';
      text += account_table(account);
    }
    return text;
  }

  SettingFlags settings_;
  SpeedProbeOptions options_;
  std::string instruction_set_;
  bool account_ = false;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_bench_model() {
  return std::make_unique<BenchModel>();
}

}  // namespace hangar
