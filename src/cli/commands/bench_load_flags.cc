#include "cli/commands/bench_load_flags.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cmath>
#include <ctime>

namespace hangar {
namespace {

// A random stream of its own for the lengths of answers to listed prompts.
constexpr std::uint64_t kLengthStream = 0xa0761d6478bd642fULL;

std::string lengths_text(const bench::SyntheticOptions& options) {
  std::string text = fmt::format("words at random, {} tokens", options.prompt_tokens.text());
  if (options.shared_prefix_tokens > 0) {
    text += fmt::format(" after a shared prefix of {}", options.shared_prefix_tokens);
  }
  return text;
}

std::string load_text(const bench::LoadOptions& load) {
  std::string text = load.rate_per_s > 0
                         ? fmt::format("open loop: {:g} requests/s, Poisson", load.rate_per_s)
                         : fmt::format("closed loop: {} requests at a time", load.concurrency);
  if (load.requests > 0) text += fmt::format(", {} requests", load.requests);
  if (load.duration_us > 0) {
    text += fmt::format(", {:g} s", static_cast<double>(load.duration_us) / 1e6);
  }
  if (load.cancel_share > 0) text += fmt::format(", {:g}% given up", load.cancel_share * 100);
  return text + fmt::format("; {} to warm up; seed {}", load.warmup, load.seed);
}

Result<bench::LengthDistribution> length_of(const std::string& text, const char* flag) {
  auto lengths = bench::LengthDistribution::parse(text);
  if (!lengths) return with_context(std::move(lengths.error()), flag);
  return lengths;
}

}  // namespace

std::unique_ptr<bench::PromptSource> BenchLoadPlan::make_prompts(
    const bench::WordCost& cost) const {
  if (is_synthetic()) return std::make_unique<bench::SyntheticPrompts>(cost, synthetic);
  return std::make_unique<bench::ListedPrompts>(listed);
}

BenchLoadFlags::BenchLoadFlags(Defaults defaults)
    : defaults_(std::move(defaults)),
      concurrency_(defaults_.concurrency),
      prompt_tokens_(defaults_.prompt_tokens),
      output_tokens_(defaults_.output_tokens) {}

void BenchLoadFlags::add(CLI::App& app) {
  app.add_option("-c,--concurrency", concurrency_, "Closed loop: requests under way at any time")
      ->capture_default_str()
      ->check(CLI::Range(1, 100'000));
  app.add_option("--rate", rate_,
                 "Open loop: requests a second, arriving at random (Poisson), whatever is under "
                 "way")
      ->type_name("PER-SECOND")
      ->check(CLI::Range(1e-3, 1e6));
  app.add_option(
         "-n,--requests", requests_,
         fmt::format("End after so many (default {}, or none with --duration)", defaults_.requests))
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000'000}));
  app.add_option("--duration", duration_s_, "End after so long; what still runs is cut off")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.1, 1e6));
  app.add_option("--warmup", warmup_, "Requests before the measured time, not counted")
      ->capture_default_str()
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1'000'000}));
  app.add_option("--cancel", cancel_share_,
                 "Share of the requests, 0 to 1, that are given up somewhere in their output")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--seed", seed_, "Of everything that is left to chance")->capture_default_str();
  add_lengths(app);
  app.add_option("--temperature", temperature_, "0: greedy")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 2.0));
  app.add_flag("--heed-eos", heed_eos_,
               "Let answers end where the model ends them, before their length (ignore_eos is "
               "sent otherwise)");
  add_targets(app);
  app.add_option("--json", json_file_, "Write the figures there; - is standard output")
      ->type_name("FILE");
  app.add_option("--html", html_file_, "Write a page with charts there; it needs no network")
      ->type_name("FILE");
}

void BenchLoadFlags::add_lengths(CLI::App& app) {
  prompt_option_ =
      app.add_option("--prompt-tokens", prompt_tokens_,
                     "Length of prompts: fixed:N, uniform:A-B, normal:MEAN,SD, lognormal:MEAN,SD")
          ->capture_default_str()
          ->type_name("LENGTH");
  app.add_option("--output-tokens", output_tokens_, "Length of answers, written likewise")
      ->capture_default_str()
      ->type_name("LENGTH");
  shared_prefix_option_ = app.add_option("--shared-prefix", shared_prefix_,
                                         "Tokens that all prompts begin with, before their own")
                              ->type_name("TOKENS")
                              ->check(CLI::Range(0, 1 << 20));
  app.add_option("--prompts", prompts_file_,
                 "JSON lines instead: {\"prompt\": ...} or {\"messages\": [...]}, and "
                 "\"max_tokens\" if wanted; from the start again at the end")
      ->type_name("FILE");
}

void BenchLoadFlags::add_targets(CLI::App& app) {
  const auto milliseconds = CLI::Range(1e-3, 1e9);
  app.add_option("--slo-ttft-ms", slo_ttft_ms_, "Target of goodput: time to first token")
      ->check(milliseconds);
  app.add_option("--slo-itl-ms", slo_itl_ms_,
                 "Target of goodput: a request's mean time between tokens")
      ->check(milliseconds);
  app.add_option("--slo-e2e-ms", slo_e2e_ms_, "Target of goodput: the whole request")
      ->check(milliseconds);
}

Result<bench::LoadOptions> BenchLoadFlags::load_options() const {
  bench::LoadOptions load;
  load.concurrency = concurrency_;
  load.rate_per_s = rate_;
  load.duration_us = std::llround(duration_s_ * 1e6);
  load.requests = requests_ > 0 ? requests_ : (duration_s_ > 0 ? 0 : defaults_.requests);
  load.warmup = warmup_;
  load.cancel_share = cancel_share_;
  load.seed = seed_;
  return load;
}

Result<BenchLoadPlan> BenchLoadFlags::plan() const {
  BenchLoadPlan plan;
  HANGAR_TRY(plan.load, load_options());
  HANGAR_TRY(plan.synthetic.prompt_tokens, length_of(prompt_tokens_, "--prompt-tokens"));
  HANGAR_TRY(plan.synthetic.output_tokens, length_of(output_tokens_, "--output-tokens"));
  plan.synthetic.shared_prefix_tokens = shared_prefix_;
  plan.synthetic.seed = seed_;
  plan.facts.emplace_back("load", load_text(plan.load));
  if (!prompts_file_.empty()) {
    if (prompt_option_->count() > 0 || shared_prefix_option_->count() > 0) {
      return make_error(ErrorCode::kInvalidArgument,
                        "--prompts brings its own prompts: --prompt-tokens and --shared-prefix do "
                        "not go with it");
    }
    HANGAR_TRY(plan.listed, bench::read_prompt_file(prompts_file_, plan.synthetic.output_tokens,
                                                    seed_ ^ kLengthStream));
    plan.facts.emplace_back("prompts", fmt::format("{} of {}", plan.listed.size(), prompts_file_));
  } else {
    plan.facts.emplace_back("prompts", lengths_text(plan.synthetic));
  }
  plan.facts.emplace_back("answers",
                          fmt::format("{} tokens, {}, temperature {:g}", output_tokens_,
                                      heed_eos_ ? "or to their end" : "ignore_eos", temperature_));
  const auto target = [](double ms) { return ms > 0 ? std::optional<double>(ms) : std::nullopt; };
  plan.targets = {target(slo_ttft_ms_), target(slo_itl_ms_), target(slo_e2e_ms_)};
  if (plan.targets.any()) {
    std::vector<std::string> texts;
    if (plan.targets.ttft_ms) texts.push_back(fmt::format("TTFT {:g} ms", slo_ttft_ms_));
    if (plan.targets.itl_ms) texts.push_back(fmt::format("TPOT {:g} ms", slo_itl_ms_));
    if (plan.targets.e2e_ms) texts.push_back(fmt::format("e2e {:g} ms", slo_e2e_ms_));
    plan.facts.emplace_back("targets", fmt::format("{}", fmt::join(texts, ", ")));
  }
  plan.facts.emplace_back("when",
                          fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(std::time(nullptr))));
  return plan;
}

Status BenchLoadFlags::write_reports(Output& out, const std::vector<bench::PageTable>& tables,
                                     const boost::json::object& json,
                                     const bench::Page& page) const {
  HANGAR_CHECK_OK(write_bench_output(
      out, {.facts = page.facts, .tables = tables, .last_line = page.subtitle, .json = json},
      json_file_));
  if (!html_file_.empty()) HANGAR_CHECK_OK(write_bench_file(html_file_, bench::make_page(page)));
  return {};
}

}  // namespace hangar
