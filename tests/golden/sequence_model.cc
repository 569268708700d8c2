#include "golden/sequence_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "backend/registry.h"

namespace hangar::golden {
namespace {

constexpr std::int32_t kBlockTokens = 16;

std::int32_t blocks_for(std::int32_t tokens) {
  return (tokens + kBlockTokens - 1) / kBlockTokens;
}

}  // namespace

Result<std::unique_ptr<SequenceModel>> SequenceModel::open(
    std::shared_ptr<const Checkpoint> checkpoint, const SequenceModelOptions& options,
    std::span<const std::int32_t> tokens) {
  auto made = std::make_unique<SequenceModel>();
  HANGAR_TRY(made->backend_, make_backend(options.backend, options.backend_options));
  made->checkpoint_ = std::move(checkpoint);
  HANGAR_TRY(made->model_, make_model(*made->checkpoint_, *made->backend_, options.limits));

  std::int32_t blocks = 0;
  for (const std::int32_t count : tokens) blocks += blocks_for(count);
  KvShape shape = made->model_->kv_shape(blocks, kBlockTokens);
  if (options.kv_type) shape.type = *options.kv_type;
  HANGAR_TRY(made->cache_, made->backend_->make_kv_cache(shape));
  // Each sequence's blocks lie apart: sequence s owns the next of an order that jumps.
  std::vector<std::int32_t> order(static_cast<std::size_t>(blocks));
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [](std::int32_t a, std::int32_t b) {
    return std::pair(a % 7, -a) < std::pair(b % 7, -b);
  });
  auto next = order.begin();
  for (const std::int32_t count : tokens) {
    made->tables_.emplace_back(next, next + blocks_for(count));
    next += blocks_for(count);
  }
  return made;
}

std::vector<std::vector<float>> SequenceModel::step(const std::vector<Part>& parts) {
  RaggedBatch batch;
  batch.block_tokens = kBlockTokens;
  for (const Part& part : parts) {
    const std::vector<std::int32_t>& table = tables_[part.sequence];
    const std::int32_t first_row = batch.rows();
    batch.sequences.push_back({first_row, static_cast<std::int32_t>(part.ids.size()),
                               part.context_tokens,
                               static_cast<std::int32_t>(batch.block_tables.size()),
                               static_cast<std::int32_t>(table.size())});
    batch.block_tables.insert(batch.block_tables.end(), table.begin(), table.end());
    for (const std::int32_t wanted : part.wanted) batch.logit_rows.push_back(first_row + wanted);
    for (std::size_t i = 0; i < part.ids.size(); ++i) {
      batch.token_ids.push_back(part.ids[i]);
      batch.positions.push_back(part.context_tokens + static_cast<std::int32_t>(i));
    }
  }
  const Activation logits = model_->forward(batch, *cache_);
  EXPECT_EQ(logits.rows, static_cast<std::int64_t>(batch.logit_rows.size()));
  std::vector<float> host(static_cast<std::size_t>(logits.rows * logits.columns));
  backend_->read(logits, host);
  std::vector<std::vector<float>> rows;
  for (std::int64_t r = 0; r < logits.rows; ++r) {
    rows.emplace_back(host.begin() + r * logits.columns, host.begin() + (r + 1) * logits.columns);
  }
  return rows;
}

std::vector<std::int32_t> lengths_of(std::span<const Text> texts) {
  std::vector<std::int32_t> lengths;
  for (const Text& text : texts) lengths.push_back(static_cast<std::int32_t>(text.size()));
  return lengths;
}

Logits whole(SequenceModel& model, std::span<const Text> texts) {
  Logits logits(model.vocabulary(), lengths_of(texts));
  for (std::size_t s = 0; s < texts.size(); ++s) {
    std::vector<std::int32_t> wanted(texts[s].size());
    std::iota(wanted.begin(), wanted.end(), 0);
    const auto rows = model.step({{s, 0, texts[s], std::move(wanted)}});
    for (std::size_t p = 0; p < rows.size(); ++p) logits.set(s, p, rows[p]);
  }
  return logits;
}

Logits token_by_token(SequenceModel& model, std::span<const Text> texts, std::size_t together) {
  Logits logits(model.vocabulary(), lengths_of(texts));
  std::vector<std::size_t> longest_first(texts.size());
  std::iota(longest_first.begin(), longest_first.end(), 0U);
  std::ranges::sort(longest_first, [&](std::size_t a, std::size_t b) {
    return std::pair(texts[b].size(), a) < std::pair(texts[a].size(), b);
  });
  for (std::size_t first = 0; first < texts.size(); first += together) {
    const auto group =
        std::span(longest_first).subspan(first, std::min(together, texts.size() - first));
    for (std::size_t p = 0; p < texts[group[0]].size(); ++p) {
      std::vector<SequenceModel::Part> parts;
      for (const std::size_t s : group) {
        if (p < texts[s].size()) {
          parts.push_back({s, static_cast<std::int32_t>(p), {texts[s][p]}, {0}});
        }
      }
      const auto rows = model.step(parts);
      for (std::size_t i = 0; i < rows.size(); ++i) logits.set(parts[i].sequence, p, rows[i]);
    }
  }
  return logits;
}

}  // namespace hangar::golden
