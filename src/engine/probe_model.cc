#include "engine/probe_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <utility>

namespace hangar {
namespace {

constexpr std::int32_t kWarmUpTokens = 32;

}  // namespace

std::string ProbeTest::name() const {
  std::string text = fmt::format("{}{}", prefill ? "pp" : "tg", tokens);
  if (sequences > 1) text += fmt::format(" x{}", sequences);
  if (depth_tokens > 0) text += fmt::format(" @ d{}", depth_tokens);
  return text;
}

Result<std::unique_ptr<ProbeModel>> ProbeModel::make(const Checkpoint& checkpoint,
                                                     std::unique_ptr<Backend> backend,
                                                     std::span<const ProbeTest> tests,
                                                     std::int32_t batch_rows) {
  HANGAR_TRY(const ModelConfig config, checkpoint.config());
  std::int64_t longest = 1;
  std::int32_t sequences = 1;
  for (const ProbeTest& test : tests) {
    longest = std::max(longest, std::int64_t{test.depth_tokens} + test.tokens);
    sequences = std::max(sequences, test.sequences);
  }
  if (longest > config.context_tokens) {
    return make_error(ErrorCode::kInvalidArgument,
                      "a test of {} tokens is longer than the model's context of {}", longest,
                      config.context_tokens);
  }
  std::unique_ptr<ProbeModel> model(new ProbeModel);
  model->batch_rows_ = batch_rows;
  RunnerOptions options;
  const std::int64_t blocks_each = (longest + options.block_tokens - 1) / options.block_tokens;
  options.kv_blocks = static_cast<std::int32_t>(blocks_each * sequences);
  options.limits = {std::max(batch_rows, sequences), sequences};
  HANGAR_TRY(model->runner_, Runner::make(checkpoint, std::move(backend), options));
  model->blocks_each_ = static_cast<std::size_t>(blocks_each);
  model->blocks_.resize(static_cast<std::size_t>(options.kv_blocks));
  std::iota(model->blocks_.begin(), model->blocks_.end(), 0);
  model->tokens_.resize(static_cast<std::size_t>(longest));
  std::uint32_t state = 1;
  for (std::int32_t& token : model->tokens_) {
    state = state * 1664525U + 1013904223U;
    token = static_cast<std::int32_t>((state >> 8) % static_cast<std::uint32_t>(config.vocabulary));
  }
  return model;
}

std::span<const std::int32_t> ProbeModel::blocks_of(std::int32_t sequence) const {
  return std::span(blocks_).subspan(static_cast<std::size_t>(sequence) * blocks_each_,
                                    blocks_each_);
}

void ProbeModel::finish_step(ProbeEnd end) {
  if (end == ProbeEnd::kRead) {
    runner_->read_logits();
    return;
  }
  sample_rows_.assign(batch_.logit_rows.size(), SampleRow{.temperature = 0.0F});
  for (std::size_t i = 0; i < sample_rows_.size(); ++i) {
    sample_rows_[i].row = static_cast<std::int32_t>(i);
  }
  sampled_.resize(sample_rows_.size());
  runner_->sample(sample_rows_, sampled_);
}

void ProbeModel::prefill(std::int32_t sequence, std::int32_t from, std::int32_t tokens, bool logits,
                         ProbeEnd end) {
  for (std::int32_t at = 0; at < tokens; at += batch_rows_) {
    const std::int32_t count = std::min(batch_rows_, tokens - at);
    const bool wanted = logits && at + count == tokens;
    batch_ = {};
    batch_.block_tokens = runner_->block_tokens();
    const std::int32_t position = from + at;
    append_sequence(batch_,
                    std::span(tokens_).subspan(static_cast<std::size_t>(position),
                                               static_cast<std::size_t>(count)),
                    position, blocks_of(sequence), wanted ? 1 : 0);
    runner_->run(batch_, {});
    if (wanted) finish_step(end);
  }
}

void ProbeModel::decode_step(const ProbeTest& test, std::int32_t position, ProbeEnd end) {
  batch_ = {};
  batch_.block_tokens = runner_->block_tokens();
  for (std::int32_t s = 0; s < test.sequences; ++s) {
    append_sequence(batch_, std::span(tokens_).subspan(static_cast<std::size_t>(position), 1),
                    position, blocks_of(s), 1);
  }
  runner_->run(batch_, {});
  finish_step(end);
}

void ProbeModel::prepare(const ProbeTest& test) {
  for (std::int32_t s = 0; s < test.sequences; ++s) {
    prefill(s, 0, test.depth_tokens, false, ProbeEnd::kRead);
  }
  ProbeTest warm_up = test;
  warm_up.tokens = std::min(test.tokens, kWarmUpTokens);
  run(warm_up, ProbeEnd::kSample);
}

double ProbeModel::run_step(const ProbeTest& test, std::int32_t step, ProbeEnd end) {
  const auto start = std::chrono::steady_clock::now();
  if (test.prefill) {
    prefill(0, test.depth_tokens, test.tokens, true, end);
  } else {
    decode_step(test, test.depth_tokens + step, end);
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double ProbeModel::run(const ProbeTest& test, ProbeEnd end) {
  double seconds = 0.0;
  for (std::int32_t i = 0; i < test.steps(); ++i) seconds += run_step(test, i, end);
  return seconds;
}

}  // namespace hangar
