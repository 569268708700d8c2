#include "cli/eval_job.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>

#include "base/progress.h"
#include "base/terminal.h"
#include "cli/clock.h"
#include "cli/interrupt.h"
#include "cli/loading_line.h"

namespace hangar {
namespace {

constexpr std::chrono::milliseconds kLook{50};

std::uint64_t rows_of(std::span<const EvalWindow> windows) {
  std::uint64_t rows = 0;
  for (const EvalWindow& window : windows) rows += static_cast<std::uint64_t>(window.tokens - 1);
  return rows;
}

std::string label_of(const PerplexityResult& result, std::size_t windows) {
  if (result.windows == 0) return fmt::format("window 1 of {}", windows);
  return fmt::format("perplexity {:.4f} after {} of {} windows", result.tally.perplexity(),
                     result.windows, windows);
}

}  // namespace

EvalJob::EvalJob(PerplexityProbe& probe, const EvalText& text, std::span<const EvalWindow> windows)
    : probe_(probe), text_(text), windows_(windows), thread_([this] { run(); }) {}

EvalJob::~EvalJob() {
  thread_.join();
}

void EvalJob::run() {
  auto result =
      probe_.run(text_.tokens, windows_, text_.first_token, [this](const PerplexityResult& now) {
        const std::lock_guard lock(mutex_);
        latest_ = now;
        return true;
      });
  const std::lock_guard lock(mutex_);
  result_ = std::move(result);
  ended_.notify_all();
}

Result<PerplexityResult> EvalJob::wait() {
  Progress progress(label_of({}, windows_.size()), rows_of(windows_), error_output_style(),
                    write_error_output, steady_now_us());
  std::unique_lock lock(mutex_);
  while (!ended_.wait_for(lock, kLook, [this] { return result_.has_value(); })) {
    if (InterruptScope::taken()) {
      interrupted_ = true;
      if (is_terminal(STDERR_FILENO)) write_error_output("\n");  // below the progress line
      return latest_;
    }
    progress.set_label(label_of(latest_, windows_.size()));
    progress.update(static_cast<std::uint64_t>(latest_.computed_tokens), steady_now_us());
  }
  if (*result_) progress.set_label(label_of(**result_, windows_.size()));
  progress.finish(steady_now_us());
  return *result_;
}

}  // namespace hangar
