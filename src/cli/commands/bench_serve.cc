// hangar bench serve: a load on any OpenAI-compatible server.
#include <fmt/format.h>
#include <sys/resource.h>

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>
#include <utility>

#include "bench/calibration.h"
#include "bench/http/client.h"
#include "bench/openai/openai_target.h"
#include "bench/openai/probe.h"
#include "bench/serve_report.h"
#include "bench/words.h"
#include "cli/commands/bench_load_flags.h"
#include "cli/commands/bench_parts.h"
#include "cli/commands/bench_progress.h"
#include "cli/interrupt.h"
#include "cli/report.h"

namespace hangar {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  hangar bench serve --url http://127.0.0.1:8000 -c 16 -n 128\n"
    "  hangar bench serve --rate 4 --duration 60 --slo-ttft-ms 500 --slo-itl-ms 50 --html r.html\n"
    "  hangar bench serve --prompt-tokens lognormal:300,200 --output-tokens uniform:16-256\n"
    "  hangar bench serve --prompts asked.jsonl --endpoint completions --json -\n"
    "\n"
    "Ctrl-C ends the load and reports what was measured. docs/benchmarking.md says what each\n"
    "figure means.";

constexpr int kInterruptedExit = 130;

// One descriptor a connection, and some for everything else.
Status raise_descriptor_limit(std::int64_t connections) {
  constexpr std::int64_t kOthers = 64;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return {};
  const auto wanted = static_cast<rlim_t>(connections + kOthers);
  if (limit.rlim_cur >= wanted) return {};
  limit.rlim_cur = limit.rlim_max;
  if (limit.rlim_max < wanted || ::setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return make_error(ErrorCode::kInvalidArgument,
                      "--concurrency {}: this process may open {} files only (ulimit -n)",
                      connections, limit.rlim_max);
  }
  return {};
}

class BenchServe : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_option("--url", url_, "The server: http:// or https://, with or without /v1")
        ->capture_default_str();
    app.add_option("--model", model_, "The model to ask for (default: the server's first)");
    app.add_option("--endpoint", endpoint_, "chat or completions")
        ->capture_default_str()
        ->check(CLI::IsMember({"chat", "completions"}));
    app.add_flag("--no-stream", no_stream_, "Ask for whole answers: only their whole time is seen");
    app.add_option("--api-key", api_key_, "Sent as a bearer token")->envname("OPENAI_API_KEY");
    app.add_flag("--insecure", insecure_, "https: take any certificate");
    app.add_option("--timeout", timeout_s_,
                   "A request without a whole answer after this has failed")
        ->type_name("SECONDS")
        ->capture_default_str()
        ->check(CLI::Range(1, 86'400));
    load_.add(app);
    app.footer(kExamples);
  }

  Result<int> run(const CommandContext& context) override;

 private:
  Status check_prompts(const BenchLoadPlan& plan) const;

  std::string url_ = "http://127.0.0.1:8000";
  std::string model_;
  std::string endpoint_ = "chat";
  bool no_stream_ = false;
  std::string api_key_;
  bool insecure_ = false;
  int timeout_s_ = 600;
  BenchLoadFlags load_{{.concurrency = 8,
                        .requests = 64,
                        .prompt_tokens = "fixed:128",
                        .output_tokens = "fixed:128"}};
};

// Messages are the chat endpoint's.
Status BenchServe::check_prompts(const BenchLoadPlan& plan) const {
  if (endpoint_ == "chat") return {};
  for (std::size_t i = 0; i < plan.listed.size(); ++i) {
    if (plan.listed[i].messages) {
      return make_error(ErrorCode::kInvalidArgument,
                        "--endpoint completions takes prompts, and prompt {} of the file has "
                        "messages",
                        i + 1);
    }
  }
  return {};
}

Result<int> BenchServe::run(const CommandContext& context) {
  HANGAR_TRY(bench::ServerUrl url, bench::ServerUrl::parse(url_));
  HANGAR_TRY(BenchLoadPlan plan, load_.plan());
  HANGAR_CHECK_OK(check_prompts(plan));
  HANGAR_CHECK_OK(raise_descriptor_limit(plan.load.rate_per_s > 0 ? 0 : plan.load.concurrency));

  boost::asio::io_context io(1);
  bench::HttpClientOptions http;
  http.timeout_us = std::int64_t{timeout_s_} * 1'000'000;
  http.verify_certificate = !insecure_;
  if (!api_key_.empty()) http.authorization = "Bearer " + api_key_;
  HANGAR_TRY(const auto client, bench::HttpClient::make(io, std::move(url), http));
  bench::ServerProbe probe(io, *client);
  bench::OpenAiOptions options;
  options.model = model_;
  if (model_.empty()) {
    HANGAR_TRY(options.model, probe.first_model());
  }
  options.chat = endpoint_ == "chat";
  options.stream = !no_stream_;
  options.ignore_eos = load_.ignore_eos();
  options.temperature = load_.temperature();

  BenchFacts facts = {{"server", client->url().text()},
                      {"model", options.model},
                      {"endpoint", endpoint_ + (no_stream_ ? ", whole answers" : ", streamed")}};
  facts.insert(facts.end(), plan.facts.begin(), plan.facts.end());
  bench::WordCost cost;
  if (plan.is_synthetic()) {
    HANGAR_TRY(cost, bench::calibrate_words(bench::common_words(), probe.sources(options)));
    facts.emplace_back("token counts", cost.method);
  }
  const auto prompts = plan.make_prompts(cost);

  bench::ServeReport report;
  {
    const InterruptScope interrupts;
    bench::OpenAiTarget target(*client, options);
    BenchProgressLine line(plan.load);
    report.load =
        bench::run_load(io, target, *prompts, plan.load, [&](const bench::LoadProgress& progress) {
          line.show("", progress);
          return !InterruptScope::pending();
        });
  }
  report.facts = std::move(facts);
  report.targets = plan.targets;
  report.summary = bench::summarize(report.load.records, report.load.elapsed_us, plan.targets);
  HANGAR_CHECK_OK(load_.write_reports(context.out, bench::serve_tables(report),
                                      bench::serve_json(report), bench::serve_page(report)));
  if (report.load.interrupted) {
    HANGAR_CHECK_OK(context.out.flush());  // the note comes after the figures
    report_note("stopped early: these are the figures up to then");
    return kInterruptedExit;
  }
  const bench::Summary& summary = report.summary;
  if (summary.failed > 0 && summary.done == 0) {
    const auto& [kind, sample] = *summary.error_samples.begin();
    return make_error(ErrorCode::kUnavailable, "no request was answered: {} ({})", kind, sample);
  }
  return 0;
}

}  // namespace

std::unique_ptr<Command> make_bench_serve() {
  return std::make_unique<BenchServe>();
}

}  // namespace hangar
