#include <cmath>

#include "backend/ref/ops.h"

namespace hangar::ref {

void scatter_add_rows(Activation x, Activation y, std::span<const std::int32_t> rows,
                      std::span<const float> weights) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto to = x.row(rows[i]);
    const auto from = y.row(static_cast<std::int64_t>(i));
    for (std::size_t c = 0; c < to.size(); ++c) to[c] += weights[i] * from[c];
  }
}

void top_experts(Activation scores, std::int32_t k, bool normalize, std::span<std::int32_t> ids,
                 std::span<float> weights) {
  const auto count = static_cast<std::size_t>(k);
  for (std::int64_t r = 0; r < scores.rows; ++r) {
    const auto row = scores.row(r);
    const auto at = static_cast<std::size_t>(r) * count;
    std::vector<bool> taken(row.size(), false);
    for (std::size_t i = 0; i < count; ++i) {
      std::size_t best = row.size();
      for (std::size_t e = 0; e < row.size(); ++e) {
        if (!taken[e] && (best == row.size() || row[e] > row[best])) best = e;
      }
      taken[best] = true;
      ids[at + i] = static_cast<std::int32_t>(best);
    }
    const auto share = [&](std::size_t expert) {
      const auto best = static_cast<std::size_t>(ids[at]);
      return std::exp(static_cast<double>(row[expert]) - static_cast<double>(row[best]));
    };
    double total = 0.0;
    for (std::size_t e = 0; e < row.size(); ++e) {
      if (taken[e] || !normalize) total += share(e);
    }
    for (std::size_t i = 0; i < count; ++i) {
      weights[at + i] = static_cast<float>(share(static_cast<std::size_t>(ids[at + i])) / total);
    }
  }
}

}  // namespace hangar::ref
