#include "serve/metrics/family_list.h"

#include <prometheus/text_serializer.h>

#include <limits>

namespace hangar {

prometheus::ClientMetric& FamilyList::sample(std::string_view name, std::string_view help,
                                             prometheus::MetricType type, const Labels& labels) {
  const auto [found, is_new] = index_.try_emplace(std::string(name), families_.size());
  if (is_new) families_.push_back({std::string(name), std::string(help), type, {}});
  std::vector<prometheus::ClientMetric>& samples = families_[found->second].metric;
  samples.emplace_back().label = labels;
  return samples.back();
}

void FamilyList::counter(std::string_view name, std::string_view help, const Labels& labels,
                         double value) {
  sample(name, help, prometheus::MetricType::Counter, labels).counter.value = value;
}

void FamilyList::gauge(std::string_view name, std::string_view help, const Labels& labels,
                       double value) {
  sample(name, help, prometheus::MetricType::Gauge, labels).gauge.value = value;
}

void FamilyList::histogram(std::string_view name, std::string_view help, const Labels& labels,
                           const MetricHistogram::Snapshot& snapshot, double unit) {
  prometheus::ClientMetric::Histogram& histogram =
      sample(name, help, prometheus::MetricType::Histogram, labels).histogram;
  histogram.sample_count = snapshot.total;
  histogram.sample_sum = static_cast<double>(snapshot.sum) / unit;
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < snapshot.counts.size(); ++i) {
    below += snapshot.counts[i];
    const double border = i < snapshot.borders.size()
                              ? static_cast<double>(snapshot.borders[i]) / unit
                              : std::numeric_limits<double>::infinity();
    histogram.bucket.push_back({below, border});
  }
}

std::string FamilyList::text() const {
  return prometheus::TextSerializer().Serialize(families_);
}

}  // namespace hangar
