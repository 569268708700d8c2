#include "engine/step_account.h"

#include <algorithm>
#include <memory>
#include <span>
#include <utility>

#include "backend/registry.h"
#include "backend/timed/timed_backend.h"

namespace hangar {
namespace {

struct TimedStep {
  double seconds = 0.0;
  OperationTimes times;
};

// Those in the middle when sorted by time; at least one.
std::span<const TimedStep> middle_third(std::vector<TimedStep>& steps) {
  std::ranges::sort(steps, {}, &TimedStep::seconds);
  const std::size_t left_out = steps.size() / 3;
  return std::span(steps).subspan(left_out, steps.size() - 2 * left_out);
}

double mean_us(std::span<const TimedStep> steps) {
  double sum_s = 0.0;
  for (const TimedStep& step : steps) sum_s += step.seconds;
  return 1e6 * sum_s / static_cast<double>(steps.size());
}

}  // namespace

Result<std::vector<StepAccount>> account_steps(const Checkpoint& checkpoint,
                                               const SpeedProbeOptions& options) {
  const std::vector<ProbeTest> tests = probe_tests(options);
  const BackendOptions backend_options{.threads = options.threads, .quant = options.quant};
  HANGAR_TRY(auto backend, make_backend(options.backend, backend_options));
  auto timed = std::make_unique<TimedBackend>(std::move(backend));
  TimedBackend& clocks = *timed;
  HANGAR_TRY(const auto model,
             ProbeModel::make(checkpoint, std::move(timed), tests, options.batch_rows));
  std::vector<StepAccount> accounts;
  for (const ProbeTest& test : tests) {
    model->prepare(test);
    std::vector<TimedStep> plain;
    std::vector<TimedStep> clocked;
    // Two passes a repeat: a step that has clocks in one has none in the other.
    for (std::int32_t pass = 0; pass < 2 * options.repeats; ++pass) {
      for (std::int32_t i = 0; i < test.steps(); ++i) {
        const bool with_clocks = (pass + i) % 2 == 0;
        if (with_clocks) clocks.start();
        const double seconds = model->run_step(test, i, ProbeEnd::kSample);
        (with_clocks ? clocked : plain)
            .push_back({seconds, with_clocks ? clocks.stop() : OperationTimes{}});
      }
    }
    const std::span<const TimedStep> kept = middle_third(clocked);
    StepAccount account;
    account.test = test;
    account.steps = std::ssize(kept);
    account.plain_us = mean_us(middle_third(plain));
    account.clocked_us = mean_us(kept);
    for (const TimedStep& step : kept) account.times += step.times;
    accounts.push_back(account);
  }
  return accounts;
}

}  // namespace hangar
