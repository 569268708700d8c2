#include "bench/summary.h"

#include <utility>
#include <vector>

namespace hangar::bench {
namespace {

double ms(std::int64_t time_us) {
  return static_cast<double>(time_us) / 1e3;
}

struct Samples {
  std::vector<double> ttft, itl, tpot, e2e, prompts, outputs;
};

void count_ending(const RequestRecord& record, Summary& summary) {
  switch (record.outcome) {
    case Outcome::kDone:
      ++summary.done;
      if (!record.counted_by_server) ++summary.uncounted;
      break;
    case Outcome::kFailed:
      ++summary.failed;
      ++summary.errors[record.error];
      summary.error_samples.try_emplace(record.error, record.error_detail);
      break;
    case Outcome::kCancelled:
      ++summary.cancelled;
      break;
    case Outcome::kRunning:
      ++summary.unfinished;
      if (record.piece_us.empty()) ++summary.unfinished_silent;
      break;
  }
  if (record.reconnected) ++summary.reconnected;
}

void add_samples(const RequestRecord& record, Samples& samples) {
  const bool done = record.outcome == Outcome::kDone;
  if (!done && record.outcome != Outcome::kRunning) return;
  if (const auto ttft = ttft_ms_of(record)) samples.ttft.push_back(*ttft);
  for (std::size_t i = 1; i < record.piece_us.size(); ++i) {
    samples.itl.push_back(ms(record.piece_us[i] - record.piece_us[i - 1]));
  }
  if (!done) return;
  if (const auto tpot = tpot_ms_of(record)) samples.tpot.push_back(*tpot);
  samples.e2e.push_back(e2e_ms_of(record));
  samples.prompts.push_back(record.prompt_tokens);
  samples.outputs.push_back(record.output_tokens);
}

}  // namespace

std::optional<double> ttft_ms_of(const RequestRecord& record) {
  if (record.piece_us.empty()) return std::nullopt;
  return ms(record.piece_us.front() - record.start_us);
}

std::optional<double> tpot_ms_of(const RequestRecord& record) {
  if (record.piece_us.size() < 2 || record.output_tokens < 2) return std::nullopt;
  return ms(record.piece_us.back() - record.piece_us.front()) /
         static_cast<double>(record.output_tokens - 1);
}

double e2e_ms_of(const RequestRecord& record) {
  return ms(record.end_us - record.start_us);
}

bool meets(const RequestRecord& record, const LatencyTargets& targets) {
  if (record.outcome != Outcome::kDone) return false;
  if (targets.ttft_ms) {
    const auto ttft = ttft_ms_of(record);
    if (!ttft || *ttft > *targets.ttft_ms) return false;
  }
  // An answer of one token has no gaps, so none that is too long.
  if (targets.itl_ms && tpot_ms_of(record).value_or(0.0) > *targets.itl_ms) return false;
  return !targets.e2e_ms || e2e_ms_of(record) <= *targets.e2e_ms;
}

Summary summarize(std::span<const RequestRecord> records, std::int64_t elapsed_us,
                  const LatencyTargets& targets) {
  Summary summary;
  Samples samples;
  for (const RequestRecord& record : records) {
    count_ending(record, summary);
    add_samples(record, samples);
    if (meets(record, targets)) ++summary.good;
    summary.output_tokens += record.output_tokens;
    // A prompt has been computed once its first token is out.
    if (record.outcome == Outcome::kDone || !record.piece_us.empty()) {
      summary.prompt_tokens += record.prompt_tokens;
      summary.cached_tokens += record.cached_tokens;
    }
  }
  summary.elapsed_s = static_cast<double>(elapsed_us) / 1e6;
  if (elapsed_us > 0) {
    const auto rate = [&](std::int64_t count) {
      return static_cast<double>(count) / summary.elapsed_s;
    };
    summary.requests_per_s = rate(summary.done);
    summary.output_tokens_per_s = rate(summary.output_tokens);
    summary.prompt_tokens_per_s = rate(summary.prompt_tokens);
    summary.total_tokens_per_s = rate(summary.output_tokens + summary.prompt_tokens);
    summary.goodput_per_s = rate(summary.good);
  }
  if (summary.done + summary.failed > 0) {
    summary.good_share =
        static_cast<double>(summary.good) / static_cast<double>(summary.done + summary.failed);
  }
  summary.ttft_ms = spread_of(std::move(samples.ttft));
  summary.itl_ms = spread_of(std::move(samples.itl));
  summary.tpot_ms = spread_of(std::move(samples.tpot));
  summary.e2e_ms = spread_of(std::move(samples.e2e));
  summary.prompt_length = spread_of(std::move(samples.prompts));
  summary.output_length = spread_of(std::move(samples.outputs));
  return summary;
}

}  // namespace hangar::bench
