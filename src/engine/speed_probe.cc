#include "engine/speed_probe.h"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <utility>

#include "backend/registry.h"
#include "engine/runner.h"

namespace hangar {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Computes `tokens` in steps of at most `rows`, from the cache's start on; tokens per second.
double timed_pass(Runner& runner, std::span<const std::int32_t> tokens,
                  std::span<const std::int32_t> blocks, std::int32_t rows) {
  RaggedBatch batch;
  const auto start = std::chrono::steady_clock::now();
  const auto total = static_cast<std::int32_t>(tokens.size());
  for (std::int32_t at = 0; at < total; at += rows) {
    const std::int32_t count = std::min(rows, total - at);
    const bool wanted = at + count == total || rows == 1;
    batch = {};
    batch.block_tokens = runner.block_tokens();
    append_sequence(batch,
                    tokens.subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(count)),
                    at, blocks, wanted ? 1 : 0);
    runner.run(batch, {});
    if (wanted) runner.read_logits();
  }
  return static_cast<double>(total) / seconds_since(start);
}

}  // namespace

Result<std::vector<SpeedProbeResult>> run_speed_probe(const Checkpoint& checkpoint,
                                                      const SpeedProbeOptions& options) {
  HANGAR_TRY(const ModelConfig config, checkpoint.config());
  std::int32_t longest = 1;
  for (const std::int32_t n : options.prefill_tokens) longest = std::max(longest, n);
  for (const std::int32_t n : options.decode_tokens) longest = std::max(longest, n);
  if (longest > config.context_tokens) {
    return make_error(ErrorCode::kInvalidArgument,
                      "a test of {} tokens is longer than the model's context of {}", longest,
                      config.context_tokens);
  }
  HANGAR_TRY(auto backend, make_backend(options.backend, options.threads));
  RunnerOptions runner_options;
  runner_options.kv_blocks =
      (longest + runner_options.block_tokens - 1) / runner_options.block_tokens;
  runner_options.limits = {options.batch_rows, 1};
  HANGAR_TRY(const auto runner, Runner::make(checkpoint, std::move(backend), runner_options));
  std::vector<std::int32_t> blocks(static_cast<std::size_t>(runner_options.kv_blocks));
  std::iota(blocks.begin(), blocks.end(), 0);

  std::vector<std::int32_t> tokens(static_cast<std::size_t>(longest));
  std::uint32_t state = 1;
  for (std::int32_t& token : tokens) {
    state = state * 1664525U + 1013904223U;
    token = static_cast<std::int32_t>((state >> 8) % static_cast<std::uint32_t>(config.vocabulary));
  }
  std::vector<SpeedProbeResult> results;
  const auto measure = [&](const char* kind, std::int32_t n, std::int32_t rows) {
    const auto part = std::span(tokens).first(static_cast<std::size_t>(n));
    SpeedProbeResult result{fmt::format("{}{}", kind, n), {}};
    timed_pass(*runner, part.first(static_cast<std::size_t>(std::min(n, 32))), blocks, rows);
    for (std::int32_t i = 0; i < options.repeats; ++i) {
      result.tokens_per_s.push_back(timed_pass(*runner, part, blocks, rows));
    }
    results.push_back(std::move(result));
  };
  for (const std::int32_t n : options.prefill_tokens) measure("pp", n, options.batch_rows);
  for (const std::int32_t n : options.decode_tokens) measure("tg", n, 1);
  return results;
}

}  // namespace hangar
