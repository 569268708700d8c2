#include "backend/logit_adjustments.h"

#include <limits>

namespace hangar {
namespace {

bool repetition(const SampleRow& row) {
  return row.repetition_penalty != 1.0F && !row.seen.empty();
}

bool presence_or_frequency(const SampleRow& row) {
  return (row.presence_penalty != 0.0F || row.frequency_penalty != 0.0F) && !row.counts.empty();
}

}  // namespace

bool adjusts(const SampleRow& row) {
  return !row.bias.empty() || !row.banned.empty() || repetition(row) || presence_or_frequency(row);
}

void adjust_logits(std::span<float> logits, const SampleRow& row) {
  const auto at = [&](std::int32_t token) -> float* {
    const auto i = static_cast<std::size_t>(token);
    return token >= 0 && i < logits.size() ? &logits[i] : nullptr;
  };
  for (const auto& [token, bias] : row.bias) {
    if (float* logit = at(token)) *logit += bias;
  }
  if (repetition(row)) {
    for (const std::int32_t token : row.seen) {
      if (float* logit = at(token)) {
        *logit = *logit > 0.0F ? *logit / row.repetition_penalty : *logit * row.repetition_penalty;
      }
    }
  }
  if (presence_or_frequency(row)) {
    for (const TokenCount& seen : row.counts) {
      if (float* logit = at(seen.token)) {
        *logit -= row.presence_penalty + row.frequency_penalty * static_cast<float>(seen.count);
      }
    }
  }
  for (const std::int32_t token : row.banned) {
    if (float* logit = at(token)) *logit = -std::numeric_limits<float>::infinity();
  }
}

}  // namespace hangar
