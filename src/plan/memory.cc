#include "plan/memory.h"

#include <algorithm>
#include <initializer_list>
#include <limits>

#include "model/model.h"

namespace hangar {
namespace {

constexpr std::uint64_t kActivationBytes = sizeof(float);

std::uint64_t sum(std::uint64_t a, std::uint64_t b) {
  const std::uint64_t c = a + b;
  return c < a ? std::numeric_limits<std::uint64_t>::max() : c;
}

// Saturates: a plan that does not fit 64 bits fits no machine, and must not look small.
std::uint64_t product(std::initializer_list<std::uint64_t> factors) {
  std::uint64_t result = 1;
  bool too_much = false;
  for (const std::uint64_t factor : factors) {
    if (factor == 0) return 0;
    too_much = too_much || result > std::numeric_limits<std::uint64_t>::max() / factor;
    result *= factor;
  }
  return too_much ? std::numeric_limits<std::uint64_t>::max() : result;
}

std::uint64_t count(std::int32_t n) {
  return n > 0 ? static_cast<std::uint64_t>(n) : 0;
}

}  // namespace

std::uint64_t MemoryPlan::total_bytes() const {
  return sum(sum(weight_bytes, kv_bytes), scratch_bytes);
}

MemoryPlan plan_memory(const ModelConfig& config, std::uint64_t file_bytes,
                       std::int32_t context_tokens, std::int32_t step_rows,
                       std::uint32_t kv_element_bytes) {
  MemoryPlan plan;
  plan.context_tokens = context_tokens > 0 ? context_tokens : config.context_tokens;
  plan.file_bytes = file_bytes;
  // A backend's repacked weights take about what the file takes: 4 and 8 bits stay 4 and 8 bits.
  plan.weight_bytes = file_bytes;

  const std::uint64_t kv_width = product({count(config.kv_heads), count(config.head_dim)});
  plan.kv_bytes =
      product({2, count(config.layers), kv_width, kv_element_bytes, count(plan.context_tokens)});

  // One row of a layer: the residual, its norm and a block's output; queries and attention's
  // output; keys and values; gate and up.
  const std::uint64_t rows = count(step_rows);
  const std::uint64_t q_width = product({count(config.heads), count(config.head_dim)});
  std::uint64_t row_elements = product({3, count(config.hidden)});
  row_elements = sum(row_elements, product({2, q_width}));
  row_elements = sum(row_elements, product({2, kv_width}));
  row_elements = sum(row_elements, product({2, count(config.feed_forward)}));
  if (config.experts > 0) {  // the router's scores; an expert's inputs, gate and up
    row_elements = sum(row_elements, sum(count(config.experts), count(config.hidden)));
    row_elements = sum(row_elements, product({2, count(config.expert_feed_forward)}));
  }
  const std::uint64_t logit_rows = std::min(rows, count(ModelLimits{}.max_logit_rows));
  plan.scratch_bytes = sum(product({rows, row_elements, kActivationBytes}),
                           product({logit_rows, count(config.vocabulary), kActivationBytes}));
  return plan;
}

std::uint64_t device_scratch_bytes(const ModelConfig& config, std::int32_t step_rows,
                                   std::int32_t logit_rows) {
  constexpr std::uint64_t kWorkBytes = 2;
  constexpr std::uint64_t kFullBytes = 4;
  const std::uint64_t hidden = count(config.hidden);
  const std::uint64_t q_width = product({count(config.heads), count(config.head_dim)});
  const std::uint64_t kv_width = product({count(config.kv_heads), count(config.head_dim)});
  bool plain = false;
  bool experts = false;
  for (std::int32_t i = 0; i < config.layers; ++i) {
    (config.layer_has_experts(i) ? experts : plain) = true;
  }
  // The norm's and a block's output; queries and attention's output; keys and values.
  std::uint64_t work = sum(product({2, hidden}), product({2, sum(q_width, kv_width)}));
  if (plain) work = sum(work, product({2, count(config.feed_forward)}));
  if (experts) work = sum(work, sum(hidden, product({2, count(config.expert_feed_forward)})));
  const std::uint64_t full = sum(hidden, experts ? count(config.experts) : 0);
  const std::uint64_t row = sum(product({work, kWorkBytes}), product({full, kFullBytes}));
  const std::uint64_t logit_row = sum(product({hidden, kWorkBytes + kFullBytes}),
                                      product({count(config.vocabulary), kFullBytes}));
  return sum(product({count(step_rows), row}), product({count(logit_rows), logit_row}));
}

}  // namespace hangar
