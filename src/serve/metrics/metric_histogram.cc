#include "serve/metrics/metric_histogram.h"

#include <algorithm>
#include <cstddef>

namespace hangar {

void MetricHistogram::observe(std::int64_t value) {
  const auto border = std::lower_bound(borders_.begin(), borders_.end(), value);
  const auto slot = static_cast<std::size_t>(border - borders_.begin());
  counts_[slot].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

MetricHistogram::Snapshot MetricHistogram::snapshot() const {
  Snapshot snapshot;
  snapshot.borders = borders_;
  snapshot.counts.reserve(borders_.size() + 1);
  for (std::size_t i = 0; i <= borders_.size(); ++i) {
    snapshot.counts.push_back(counts_[i].load(std::memory_order_relaxed));
    snapshot.total += snapshot.counts.back();
  }
  snapshot.sum = sum_.load(std::memory_order_relaxed);
  return snapshot;
}

}  // namespace hangar
