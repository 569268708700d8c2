#include "bench/percentiles.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace hangar::bench {

double percentile(std::span<const double> sorted, double percent) {
  if (sorted.empty()) return 0.0;
  const double rank =
      std::clamp(percent, 0.0, 100.0) / 100.0 * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<std::size_t>(std::floor(rank));
  const std::size_t high = std::min(low + 1, sorted.size() - 1);
  return std::lerp(sorted[low], sorted[high], rank - static_cast<double>(low));
}

Spread spread_of(std::vector<double> values) {
  Spread spread;
  spread.count = values.size();
  if (values.empty()) return spread;
  std::sort(values.begin(), values.end());
  spread.mean =
      std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  spread.least = values.front();
  spread.p50 = percentile(values, 50);
  spread.p90 = percentile(values, 90);
  spread.p99 = percentile(values, 99);
  spread.most = values.back();
  return spread;
}

}  // namespace hangar::bench
