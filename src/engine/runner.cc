#include "engine/runner.h"

#include <algorithm>
#include <exception>
#include <numeric>
#include <utility>

namespace hangar {

Result<std::unique_ptr<Runner>> Runner::make(const Checkpoint& checkpoint,
                                             std::unique_ptr<Backend> backend,
                                             const RunnerOptions& options) {
  std::unique_ptr<Runner> runner(new Runner(options, std::move(backend)));
  HANGAR_TRY(runner->model_, make_model(checkpoint, *runner->backend_, options.limits));
  KvShape shape = runner->model_->kv_shape(options.kv_blocks, options.block_tokens);
  if (options.kv_type) shape.type = *options.kv_type;
  // What was planned before the model was loaded, as far as it came true.
  shape.blocks = std::min(shape.blocks, runner->backend_->kv_blocks_that_fit(shape));
  if (shape.blocks < 1) {
    return make_error(ErrorCode::kResourceExhausted,
                      "with the model loaded, no memory is left for keys and values");
  }
  HANGAR_TRY(runner->cache_, runner->backend_->make_kv_cache(shape));
  if (runner->backend_->memory()) HANGAR_CHECK_OK(runner->warm_up());
  return runner;
}

// A prompt and a token after it: libraries load their kernels, the backend sees the model's
// products and may tune for them, and a device that fails fails before anyone waits for it.
Status Runner::warm_up() {
  constexpr std::int32_t kPrompt = 32;
  const std::int32_t room = cache_->shape.blocks * cache_->shape.block_tokens;
  const std::int32_t rows = std::min({kPrompt, limits().max_rows, room - 1});
  if (rows < 1) return {};
  const std::vector<std::int32_t> tokens(static_cast<std::size_t>(rows), 0);
  std::vector<std::int32_t> blocks(static_cast<std::size_t>(cache_->shape.blocks));
  std::iota(blocks.begin(), blocks.end(), 0);
  blocks.resize(
      std::min(blocks.size(), static_cast<std::size_t>(rows / options_.block_tokens + 1)));
  try {
    for (const bool tuned : {false, true}) {
      if (tuned) backend_->tune(*cache_);
      for (const std::int32_t count : {rows, 1}) {
        RaggedBatch batch;
        batch.block_tokens = options_.block_tokens;
        append_sequence(batch, std::span(tokens).first(static_cast<std::size_t>(count)),
                        count == 1 ? rows : 0, blocks, 1);
        run(batch, {});
        read_logits();
      }
    }
  } catch (const std::exception& error) {
    return make_error(ErrorCode::kUnsupported, "the model does not run here: {}", error.what());
  }
  return {};
}

void Runner::run(const RaggedBatch& batch, std::span<const BlockCopy> copies) {
  if (!copies.empty()) backend_->copy_kv_blocks(*cache_, copies);
  logits_ = model_->forward(batch, *cache_);
}

void Runner::sample(std::span<const SampleRow> rows, std::span<Sampled> out) {
  if (!rows.empty()) backend_->sample(logits_, rows, out);
}

std::span<const float> Runner::read_logits() {
  host_logits_.resize(static_cast<std::size_t>(logits_.rows * logits_.columns));
  if (!host_logits_.empty()) backend_->read(logits_, host_logits_);
  return host_logits_;
}

std::int32_t append_sequence(RaggedBatch& batch, std::span<const std::int32_t> tokens,
                             std::int32_t context_tokens, std::span<const std::int32_t> blocks,
                             std::int32_t logit_rows) {
  const std::int32_t first_row = batch.rows();
  const auto rows = static_cast<std::int32_t>(tokens.size());
  const auto first_block = static_cast<std::int32_t>(batch.block_tables.size());
  batch.sequences.push_back(
      {first_row, rows, context_tokens, first_block, static_cast<std::int32_t>(blocks.size())});
  batch.block_tables.insert(batch.block_tables.end(), blocks.begin(), blocks.end());
  batch.token_ids.insert(batch.token_ids.end(), tokens.begin(), tokens.end());
  for (std::int32_t i = 0; i < rows; ++i) batch.positions.push_back(context_tokens + i);
  const auto first_logits = static_cast<std::int32_t>(batch.logit_rows.size());
  for (std::int32_t i = rows - logit_rows; i < rows; ++i) batch.logit_rows.push_back(first_row + i);
  return first_logits;
}

}  // namespace hangar
