// Summary: what a load's records come to.
//
// Promise: latencies are of requests that were answered (TTFT also of those cut off at the end
// after
//   their first token: leaving them out would flatter a server that is slow to begin). Throughput
//   counts every token that came within the measured time, whoever's request it was. A request
//   meets its targets if it was answered and holds each target that was stated:
//   TTFT, mean inter-token latency (TPOT), end to end.
// Units: milliseconds, seconds, tokens; rates a second of the measured time.
// Errors: none.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>

#include "bench/percentiles.h"
#include "bench/record.h"

namespace hangar::bench {

struct LatencyTargets {
  std::optional<double> ttft_ms;
  std::optional<double> itl_ms;
  std::optional<double> e2e_ms;
  bool any() const { return ttft_ms || itl_ms || e2e_ms; }
};

struct Summary {
  double elapsed_s = 0;
  std::int64_t done = 0;
  std::int64_t failed = 0;
  std::int64_t cancelled = 0;
  std::int64_t unfinished = 0;         // cut off at the end of the time
  std::int64_t unfinished_silent = 0;  // of those, still without a first token
  std::int64_t reconnected = 0;
  std::int64_t uncounted = 0;                  // answered without a usage: pieces stand for tokens
  std::map<std::string, std::int64_t> errors;  // by kind
  std::map<std::string, std::string> error_samples;

  double requests_per_s = 0;
  double output_tokens_per_s = 0;
  double prompt_tokens_per_s = 0;
  double total_tokens_per_s = 0;
  std::int64_t output_tokens = 0;
  std::int64_t prompt_tokens = 0;
  std::int64_t cached_tokens = 0;

  Spread ttft_ms;  // from when a request was due to its first piece of output
  Spread itl_ms;   // every gap between two pieces
  Spread tpot_ms;  // a request's mean: (last - first) / (tokens - 1)
  Spread e2e_ms;
  Spread prompt_length;  // tokens a request
  Spread output_length;

  std::int64_t good = 0;  // met the targets
  double good_share = 0;  // of done and failed
  double goodput_per_s = 0;
};

// A request's own figures; nullopt where it has none (not streamed, one token only).
std::optional<double> ttft_ms_of(const RequestRecord& record);
std::optional<double> tpot_ms_of(const RequestRecord& record);
double e2e_ms_of(const RequestRecord& record);
bool meets(const RequestRecord& record, const LatencyTargets& targets);

Summary summarize(std::span<const RequestRecord> records, std::int64_t elapsed_us,
                  const LatencyTargets& targets);

}  // namespace hangar::bench
