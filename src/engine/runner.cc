#include "engine/runner.h"

#include <algorithm>
#include <utility>

#include "backend/registry.h"

namespace hangar {

Result<std::unique_ptr<Runner>> Runner::make(const Checkpoint& checkpoint,
                                             const RunnerOptions& options) {
  HANGAR_TRY(auto backend, make_backend(options.backend, options.threads));
  const std::int32_t blocks = (options.kv_tokens + options.block_tokens - 1) / options.block_tokens;
  std::unique_ptr<Runner> runner(new Runner(options, std::move(backend), blocks));
  HANGAR_TRY(runner->model_, make_model(checkpoint, *runner->backend_, options.limits));
  HANGAR_TRY(runner->cache_, runner->backend_->make_kv_cache(
                                 runner->model_->kv_shape(blocks, options.block_tokens)));
  return runner;
}

std::span<float> Runner::run(std::span<const Item> items) {
  batch_.token_ids.clear();
  batch_.positions.clear();
  batch_.sequences.clear();
  batch_.block_tables.clear();
  batch_.logit_rows.clear();
  batch_.block_tokens = options_.block_tokens;
  for (const Item& item : items) {
    const std::int32_t first_row = batch_.rows();
    const auto rows = static_cast<std::int32_t>(item.tokens.size());
    const auto first_block = static_cast<std::int32_t>(batch_.block_tables.size());
    const auto blocks = item.blocks->blocks();
    batch_.sequences.push_back({first_row, rows, item.context_tokens, first_block,
                                static_cast<std::int32_t>(blocks.size())});
    batch_.block_tables.insert(batch_.block_tables.end(), blocks.begin(), blocks.end());
    batch_.token_ids.insert(batch_.token_ids.end(), item.tokens.begin(), item.tokens.end());
    for (std::int32_t i = 0; i < rows; ++i) batch_.positions.push_back(item.context_tokens + i);
    for (std::int32_t i = rows - item.wanted_logits; i < rows; ++i) {
      batch_.logit_rows.push_back(first_row + i);
    }
  }
  const Activation logits = model_->forward(batch_, *cache_);
  host_logits_.resize(static_cast<std::size_t>(logits.rows * logits.columns));
  if (!host_logits_.empty()) backend_->read(logits, host_logits_);
  return host_logits_;
}

}  // namespace hangar
