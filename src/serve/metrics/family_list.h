// FamilyList: metrics on their way to Prometheus' text format, by prometheus-cpp's serializer.
//
// Promise: samples of one name stand together under one HELP and TYPE, in the order they were
// added.
//   A histogram's buckets are cumulative and end with +Inf, which equals its count.
// Errors: none.
// Threads: one list, one thread.
#pragma once

#include <prometheus/metric_family.h>

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "serve/metrics/metric_histogram.h"

namespace hangar {

// The version of the text format is part of it.
inline constexpr std::string_view kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

class FamilyList {
 public:
  using Labels = std::vector<prometheus::ClientMetric::Label>;

  void counter(std::string_view name, std::string_view help, const Labels& labels, double value);
  void gauge(std::string_view name, std::string_view help, const Labels& labels, double value);
  // Borders and sum are divided by `unit` (a million: microseconds become seconds).
  void histogram(std::string_view name, std::string_view help, const Labels& labels,
                 const MetricHistogram::Snapshot& snapshot, double unit);

  std::string text() const;

 private:
  prometheus::ClientMetric& sample(std::string_view name, std::string_view help,
                                   prometheus::MetricType type, const Labels& labels);

  std::vector<prometheus::MetricFamily> families_;
  std::unordered_map<std::string, std::size_t> index_;
};

}  // namespace hangar
