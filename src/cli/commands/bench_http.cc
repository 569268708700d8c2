// hangar bench http: what the HTTP door itself costs.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/log.h"
#include "cli/commands/bench_parts.h"
#include "cli/model_loading.h"
#include "cli/report.h"
#include "cli/setting_flags.h"
#include "cli/table.h"
#include "serve/bench/http_bench.h"

namespace hangar {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  hangar bench http\n"
    "  hangar bench http --connections 1,64,1024 --seconds 5 --json\n"
    "\n"
    "The server, its routes, JSON, template, tokenizer and text assembly run over an engine that\n"
    "answers at once; the clients are in this process. The front end's threads share one "
    "processor\n"
    "core, the clients have the others. US/REQUEST is the front end's processor time; A CORE/S is\n"
    "how many requests a second one core carries at that price. Latencies with one connection are\n"
    "what the front end adds to an answer; with more they are mostly waiting for the one core.";

class BenchHttp : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_option("-c,--connections", options_.connections,
                   "Connections that ask at once, a run for each number, separated by commas")
        ->delimiter(',')
        ->check(CLI::Range(1, 10'000));
    app.add_option("--prompt-bytes", options_.prompt_bytes, "Length of the question")
        ->check(CLI::Range(1, 1 << 20));
    app.add_option("--output-tokens", options_.output_tokens, "Length of the answer")
        ->check(CLI::Range(1, 1 << 16));
    app.add_option("--seconds", options_.seconds, "How long each run is measured")
        ->check(CLI::Range(0.1, 3600.0));
    app.add_flag("--no-pin{false}", options_.pin, "Let all threads use all cores");
    app.add_flag("--json", json_, "A JSON list");
    settings_.add(app, {Setting::kModel, Setting::kModelsDir});
    app.footer(kExamples);
  }

  Result<int> run(const CommandContext& context) override {
    HANGAR_TRY(const Settings settings, settings_.resolve());
    HANGAR_CHECK_OK(start_log("warn"));
    HANGAR_TRY(Text text, open_text(settings));
    HANGAR_TRY(const auto results,
               run_http_bench(std::move(text.tokenizer), std::move(text.templates), options_));
    HANGAR_CHECK_OK(context.out.write(json_ ? as_json(results) : as_table(results)));
    std::uint64_t errors = 0;
    for (const HttpBenchResult& result : results) {
      errors += result.errors;
      if (result.errors == 0) continue;
      report_warning(fmt::format("{}, {} connections: {} errors, the first: {}", result.test,
                                 result.connections, result.errors, result.first_error));
    }
    return errors == 0 ? 0 : 1;
  }

 private:
  struct Text {
    std::unique_ptr<const Tokenizer> tokenizer;
    ChatTemplates templates;
  };

  // A model's tokenizer and template are those of real life; without one there are simple ones.
  static Result<Text> open_text(const Settings& settings) {
    Text text;
    const Result<StoredModel> stored = find_model(settings);
    if (stored) {
      HANGAR_TRY(const auto checkpoint, open_checkpoint(stored->path));
      HANGAR_TRY(TokenizerSpec spec, checkpoint->tokenizer());
      HANGAR_TRY(text.tokenizer, make_tokenizer(std::move(spec)));
      HANGAR_TRY(text.templates, ChatTemplates::parse(checkpoint->chat_templates()));
      if (text.templates.choose(false) != nullptr) return text;
      report_note(fmt::format("{} has no chat template; ChatML's is used", stored->id));
    } else if (!settings.text(Setting::kModel).empty()) {
      return tl::unexpected<Error>(stored.error());
    } else {
      report_note("no model is here: a tokenizer of bytes and ChatML's template are used");
      HANGAR_TRY(text.tokenizer, make_byte_tokenizer());
    }
    HANGAR_TRY(text.templates, make_chatml_templates());
    return text;
  }

  static std::string as_json(const std::vector<HttpBenchResult>& results) {
    boost::json::array out;
    for (const HttpBenchResult& one : results) {
      out.push_back({{"test", one.test},
                     {"connections", one.connections},
                     {"seconds", one.seconds},
                     {"answers", one.answers},
                     {"errors", one.errors},
                     {"answers_per_s", one.answers_per_s()},
                     {"front_end_us_per_request", one.front_end_us()},
                     {"answers_per_core_s", one.answers_per_core_s()},
                     {"clients_cpu_s", one.clients_cpu_s},
                     {"front_end_cpu_s", one.front_end_cpu_s},
                     {"latency_p50_ms", one.p50_ms},
                     {"latency_p99_ms", one.p99_ms},
                     {"latency_max_ms", one.max_ms}});
    }
    return write_json(out, 2) + "\n";
  }

  static std::string as_table(const std::vector<HttpBenchResult>& results) {
    std::vector<std::vector<std::string>> rows;
    for (const HttpBenchResult& one : results) {
      rows.push_back(
          {one.test, fmt::format("{}", one.connections), fmt::format("{:.0f}", one.answers_per_s()),
           fmt::format("{:.1f}", one.front_end_us()),
           fmt::format("{:.0f}", one.answers_per_core_s()), fmt::format("{:.3f}", one.p50_ms),
           fmt::format("{:.3f}", one.p99_ms), fmt::format("{}", one.errors)});
    }
    return format_table({{"TEST"},
                         {"CONNECTIONS", true},
                         {"REQUESTS/S", true},
                         {"US/REQUEST", true},
                         {"A CORE/S", true},
                         {"P50 MS", true},
                         {"P99 MS", true},
                         {"ERRORS", true}},
                        rows);
  }

  SettingFlags settings_;
  HttpBenchOptions options_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_bench_http() {
  return std::make_unique<BenchHttp>();
}

}  // namespace hangar
