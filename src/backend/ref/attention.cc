#include <algorithm>
#include <cmath>
#include <limits>

#include "backend/ref/ops.h"

namespace hangar::ref {

KvSlot kv_slot(const RaggedBatch& batch, const RaggedBatch::Sequence& sequence, std::int64_t p) {
  const auto entry = static_cast<std::size_t>(sequence.first_block + p / batch.block_tokens);
  return {batch.block_tables[entry], p % batch.block_tokens};
}

void write_kv(const KvLayer& cache, Activation k, Activation v, const RaggedBatch& batch) {
  for (const RaggedBatch::Sequence& sequence : batch.sequences) {
    for (std::int64_t i = 0; i < sequence.rows; ++i) {
      const KvSlot to = kv_slot(batch, sequence, sequence.context_tokens + i);
      const std::int64_t row = sequence.first_row + i;
      const auto dim = static_cast<std::size_t>(cache.head_dim);
      for (std::int64_t d = 0; d < cache.width; d += cache.head_dim) {
        const auto at = static_cast<std::size_t>(d);
        round_kv(cache.type, k.row(row).subspan(at, dim), cache.key(to.block, to.slot) + d);
        round_kv(cache.type, v.row(row).subspan(at, dim), cache.value(to.block, to.slot) + d);
      }
    }
  }
}

void attention(Activation out, Activation q, const KvLayer& cache, const RaggedBatch& batch,
               const AttentionShape& shape) {
  const std::int64_t dim = shape.head_dim;
  std::vector<double> weights;
  for (const RaggedBatch::Sequence& sequence : batch.sequences) {
    for (std::int64_t i = 0; i < sequence.rows; ++i) {
      const std::int64_t row = sequence.first_row + i;
      const std::int64_t attended = sequence.context_tokens + i + 1;
      const std::int64_t first =
          shape.window > 0 ? std::max<std::int64_t>(0, attended - shape.window) : 0;
      weights.assign(static_cast<std::size_t>(attended), 0.0);
      for (std::int64_t head = 0; head < shape.heads; ++head) {
        const float* query = q.row(row).data() + head * dim;
        const std::int64_t kv_offset = head / (shape.heads / shape.kv_heads) * dim;

        double largest = -std::numeric_limits<double>::infinity();
        for (std::int64_t p = first; p < attended; ++p) {
          const KvSlot at = kv_slot(batch, sequence, p);
          const float* key = cache.key(at.block, at.slot) + kv_offset;
          double dot = 0.0;
          for (std::int64_t d = 0; d < dim; ++d) {
            dot += static_cast<double>(query[d]) * static_cast<double>(key[d]);
          }
          double score = dot * static_cast<double>(shape.scale);
          if (shape.softcap > 0.0F) {
            const auto cap = static_cast<double>(shape.softcap);
            score = cap * std::tanh(score / cap);
          }
          weights[static_cast<std::size_t>(p)] = score;
          largest = std::max(largest, score);
        }
        double total = 0.0;
        for (std::int64_t p = first; p < attended; ++p) {
          double& weight = weights[static_cast<std::size_t>(p)];
          weight = std::exp(weight - largest);
          total += weight;
        }

        for (std::int64_t d = 0; d < dim; ++d) {
          double sum = 0.0;
          for (std::int64_t p = first; p < attended; ++p) {
            const KvSlot at = kv_slot(batch, sequence, p);
            sum += weights[static_cast<std::size_t>(p)] *
                   static_cast<double>(cache.value(at.block, at.slot)[kv_offset + d]);
          }
          out.row(row)[static_cast<std::size_t>(head * dim + d)] = static_cast<float>(sum / total);
        }
      }
    }
  }
}

}  // namespace hangar::ref
