#include "bench/offline/offline_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace hangar::bench {
namespace {

constexpr std::int32_t kWarmupTokens = 8;

// A seed for each run: no two of them have a prompt in common.
std::uint64_t seed_of(std::uint64_t seed, std::size_t test, std::int32_t run) {
  return seed * 1'000'003 + test * 1'009 + static_cast<std::uint64_t>(run);
}

std::int64_t held_tokens(const EngineInfo& info) {
  return std::int64_t{info.kv_blocks} * info.block_tokens;
}

std::int64_t blocks_of(const OfflineTest& test, const EngineInfo& info) {
  return (std::int64_t{test.input_tokens} + test.output_tokens + info.block_tokens - 1) /
         info.block_tokens;
}

// "": it can be run as it is meant.
std::string obstacle(const OfflineTest& test, const EngineInfo& info) {
  const std::int64_t tokens = std::int64_t{test.input_tokens} + test.output_tokens;
  if (tokens > info.context_tokens) {
    return fmt::format("{} tokens are longer than the context of {}", tokens, info.context_tokens);
  }
  // A load may wait for places; the others measure what runs together.
  if (test.kind == OfflineKind::kLoad) return {};
  if (test.requests > info.max_running) {
    return fmt::format("{} sequences run at once at most", info.max_running);
  }
  if (test.requests * blocks_of(test, info) > info.kv_blocks) {
    return fmt::format("keys and values of {} tokens fit", held_tokens(info));
  }
  return {};
}

LoadShape shape_of(const OfflineTest& test, const EngineInfo& info) {
  LoadShape shape;
  shape.requests = test.requests;
  shape.input_tokens = test.input_tokens;
  shape.output_tokens = test.output_tokens;
  shape.step_tokens = info.step_tokens;
  const std::int64_t fit = info.kv_blocks / std::max<std::int64_t>(1, blocks_of(test, info));
  const std::int32_t there = test.at_once > 0 ? test.at_once : test.requests;
  shape.running = std::clamp<std::int64_t>(std::min<std::int64_t>({info.max_running, fit, there}),
                                           1, test.requests);
  return shape;
}

double mean_of(double a, double b) {
  return (a + b) / 2.0;
}

// The place of the median among sorted figures: of an even number the lower of the middle two.
std::size_t median_place(std::vector<double> figures, double& value) {
  std::vector<double> sorted = figures;
  std::sort(sorted.begin(), sorted.end());
  const std::size_t half = (sorted.size() - 1) / 2;
  value = sorted.size() % 2 == 1 ? sorted[half] : mean_of(sorted[half], sorted[half + 1]);
  return static_cast<std::size_t>(std::find(figures.begin(), figures.end(), sorted[half]) -
                                  figures.begin());
}

struct Figure {
  double value = 0.0;
  double with_prompts = 0.0;
  Span span;
};

Result<Figure> figure_of(const OfflineTest& test, const RequestSetTimes& times) {
  constexpr double kMsPerSecond = 1e3;
  Figure figure;
  figure.span = times.all;
  const double whole = static_cast<double>(times.all.tokens) / times.all.seconds;
  switch (test.kind) {
    case OfflineKind::kDecode:
      if (!times.steady) {
        return make_error(ErrorCode::kInvalidArgument,
                          "{}: the first sequence ended before the last began: ask for more "
                          "output tokens",
                          test.name());
      }
      figure.span = *times.steady;
      figure.value = static_cast<double>(times.steady->tokens) / times.steady->seconds;
      figure.with_prompts = whole;
      break;
    case OfflineKind::kLoad:
      figure.value = whole;
      break;
    case OfflineKind::kPrefill:
      figure.value = static_cast<double>(test.requests) * test.input_tokens /
                     *std::max_element(times.first_token_s.begin(), times.first_token_s.end());
      break;
    case OfflineKind::kFirstToken:
      figure.value = kMsPerSecond * times.first_token_s.front();
      break;
  }
  return figure;
}

RequestSet set_of(const OfflineTest& test, std::uint64_t seed) {
  return {.requests = test.requests,
          .input_tokens = test.input_tokens,
          .output_tokens = test.output_tokens,
          .at_once = test.at_once,
          .seed = seed};
}

RequestSet warmup_of(const OfflineTest& test, const EngineInfo& info, std::uint64_t seed) {
  RequestSet set = set_of(test, seed);
  set.requests = std::min(set.requests, std::max(1, info.max_running));
  set.output_tokens = std::min(set.output_tokens, kWarmupTokens);
  return set;
}

class Runs {
 public:
  Runs(Engine& engine, const OfflinePlan& plan) : engine_(engine), plan_(plan) {}

  Result<OfflineRun> all() {
    OfflineRun run;
    for (std::size_t i = 0; i < plan_.tests.size(); ++i) {
      OfflineResult result;
      result.test = plan_.tests[i];
      result.skipped = obstacle(result.test, engine_.info());
      result.bound = offline_bound(result.test, plan_, engine_.info());
      const Status done = result.skipped.empty() ? one(i, result) : Status();
      if (!done && done.error().code != ErrorCode::kCancelled) {
        return with_context(done.error(), result.test.name());
      }
      if (done) run.results.push_back(std::move(result));
      run.interrupted = !done;
      if (run.interrupted) break;
    }
    return run;
  }

 private:
  Status one(std::size_t place, OfflineResult& result) {
    const OfflineTest& test = result.test;
    std::vector<Figure> figures;
    for (std::int32_t run = 0; run <= test.repeats; ++run) {
      const auto go_on = [&] { return !plan_.tick || plan_.tick(test, run); };
      if (!go_on()) return make_error(ErrorCode::kCancelled, "stopped");
      const std::uint64_t seed = seed_of(plan_.seed, place, run);
      if (run == 0) {
        HANGAR_CHECK_OK(run_request_set(engine_, warmup_of(test, engine_.info(), seed), go_on));
        continue;
      }
      HANGAR_TRY(const RequestSetTimes times, run_request_set(engine_, set_of(test, seed), go_on));
      HANGAR_TRY(Figure figure, figure_of(test, times));
      result.figures.push_back(figure.value);
      figures.push_back(figure);
    }
    double median = 0.0;
    result.measured = figures[median_place(result.figures, median)].span;
    if (test.kind == OfflineKind::kDecode) {
      std::vector<double> whole;
      for (const Figure& figure : figures) whole.push_back(figure.with_prompts);
      median_place(whole, median);
      result.with_prompts = median;
    }
    return {};
  }

  Engine& engine_;
  const OfflinePlan& plan_;
};

}  // namespace

std::string OfflineTest::name() const {
  switch (kind) {
    case OfflineKind::kDecode:
      return fmt::format("decode x{} ({} in, {} out)", requests, input_tokens, output_tokens);
    case OfflineKind::kLoad:
      return fmt::format("{} requests ({} in, {} out){}", requests, input_tokens, output_tokens,
                         at_once > 0 ? fmt::format(", {} at a time", at_once) : "");
    case OfflineKind::kPrefill:
      return fmt::format("prefill {} x {}", requests, input_tokens);
    case OfflineKind::kFirstToken:
      return fmt::format("first token ({} in)", input_tokens);
  }
  return {};
}

std::vector<OfflineTest> card_suite() {
  using enum OfflineKind;
  return {
      {.kind = kDecode, .requests = 1, .peer = 203.9},
      {.kind = kDecode, .requests = 8, .peer = 1594.0},
      {.kind = kDecode, .requests = 32, .peer = 5781.0},
      {.kind = kDecode, .requests = 64, .peer = 10492.0},
      {.kind = kDecode, .requests = 128, .peer = 17267.0},
      {.kind = kDecode, .requests = 256, .peer = 20137.0},
      {.kind = kLoad, .requests = 2000, .output_tokens = 128, .peer = 15736.0},
      {.kind = kLoad,
       .requests = 1000,
       .input_tokens = 1000,
       .output_tokens = 1000,
       .peer = 8679.0},
      {.kind = kPrefill, .requests = 128, .output_tokens = 1, .repeats = 5, .peer = 42700.0},
      {.kind = kFirstToken, .output_tokens = 1, .repeats = 20, .peer = 9.8},
  };
}

std::vector<OfflineTest> small_suite() {
  using enum OfflineKind;
  return {
      {.kind = kDecode, .requests = 1, .output_tokens = 64},
      {.kind = kDecode, .requests = 8, .output_tokens = 64},
      {.kind = kLoad, .requests = 16, .output_tokens = 32},
      {.kind = kPrefill, .requests = 4, .output_tokens = 1, .repeats = 3},
      {.kind = kFirstToken, .output_tokens = 1, .repeats = 5},
  };
}

double OfflineResult::median() const {
  double value = 0.0;
  if (!figures.empty()) median_place(figures, value);
  return value;
}

double OfflineResult::share() const {
  if (bound <= 0.0 || figures.empty()) return 0.0;
  return test.measures_time() ? bound / median() : median() / bound;
}

double offline_bound(const OfflineTest& test, const OfflinePlan& plan, const EngineInfo& info) {
  const LoadShape shape = shape_of(test, info);
  StepWork work;
  double tokens = 0.0;
  const bool decodes = test.kind == OfflineKind::kDecode || test.kind == OfflineKind::kLoad;
  const bool prefills = test.kind != OfflineKind::kDecode;
  if (decodes) {
    work += decode_work(plan.config, plan.sizes, shape);
    tokens = static_cast<double>(shape.requests) *
             static_cast<double>(shape.output_tokens - (prefills ? 0 : 1));
  } else {
    tokens = static_cast<double>(shape.requests) * static_cast<double>(shape.input_tokens);
  }
  if (prefills) work += prefill_work(plan.config, plan.sizes, shape);
  const double seconds = least_seconds(work, plan.rates);
  if (seconds <= 0.0) return 0.0;
  return test.measures_time() ? seconds * 1e3 : tokens / seconds;
}

Result<OfflineRun> run_offline(Engine& engine, const OfflinePlan& plan) {
  return Runs(engine, plan).all();
}

}  // namespace hangar::bench
