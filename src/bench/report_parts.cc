#include "bench/report_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <cmath>
#include <utility>

namespace hangar::bench {
namespace {

namespace json = boost::json;

constexpr double kPlotPercents[] = {0,  1,  5,  10, 20, 30, 40,   50, 60,
                                    70, 80, 90, 95, 98, 99, 99.9, 100};

std::string count_text(std::int64_t count) {
  return fmt::format("{}", count);
}

std::vector<std::string> spread_row(std::string name, const Spread& spread) {
  std::vector<std::string> row = {std::move(name)};
  for (const double value :
       {spread.mean, spread.least, spread.p50, spread.p90, spread.p99, spread.most}) {
    row.push_back(spread.count == 0 ? "-" : shown_number(value));
  }
  row.push_back(count_text(static_cast<std::int64_t>(spread.count)));
  return row;
}

json::value or_null(const std::optional<double>& value) {
  return value ? json::value(*value) : json::value(nullptr);
}

}  // namespace

std::string shown_number(double value) {
  const double size = std::abs(value);
  if (size >= 1000) return fmt::format("{:.0f}", value);
  if (size >= 100) return fmt::format("{:.1f}", value);
  return size >= 1 ? fmt::format("{:.2f}", value) : fmt::format("{:.3f}", value);
}

std::string shown_share(double share) {
  return fmt::format("{:.1f}%", share * 100);
}

PageTable throughput_table(const Summary& summary, const LatencyTargets& targets) {
  PageTable table{.title = "Throughput", .note = {}, .columns = {"", "value"}, .rows = {}};
  const auto add = [&](const char* name, std::string value) {
    table.rows.push_back({name, std::move(value)});
  };
  add("measured time, s", shown_number(summary.elapsed_s));
  add("requests answered", count_text(summary.done));
  add("requests failed", count_text(summary.failed));
  if (summary.cancelled > 0) add("requests given up on purpose", count_text(summary.cancelled));
  if (summary.unfinished > 0) {
    add("requests cut off at the end", count_text(summary.unfinished));
    add("of those, without a first token", count_text(summary.unfinished_silent));
  }
  if (summary.reconnected > 0) {
    add("sent again: kept connection closed", count_text(summary.reconnected));
  }
  if (summary.uncounted > 0) add("answers without usage", count_text(summary.uncounted));
  add("requests/s", shown_number(summary.requests_per_s));
  add("output tokens/s", shown_number(summary.output_tokens_per_s));
  add("prompt tokens/s", shown_number(summary.prompt_tokens_per_s));
  add("total tokens/s", shown_number(summary.total_tokens_per_s));
  if (summary.cached_tokens > 0) {
    add("prompt tokens from the prefix cache",
        shown_share(static_cast<double>(summary.cached_tokens) /
                    static_cast<double>(summary.prompt_tokens)));
  }
  if (targets.any()) {
    add("goodput, requests/s", shown_number(summary.goodput_per_s));
    add("requests within the targets", shown_share(summary.good_share));
  }
  return table;
}

PageTable latency_table(const Summary& summary) {
  PageTable table{.title = "Latency and lengths",
                  .note =
                      "Times in milliseconds. TTFT: until the first output; ITL: every gap "
                      "between two pieces of output; TPOT: a request's mean per token after "
                      "the first; e2e: the whole request.",
                  .columns = {"", "mean", "least", "p50", "p90", "p99", "most", "count"},
                  .rows = {}};
  if (summary.ttft_ms.count > 0) table.rows.push_back(spread_row("TTFT ms", summary.ttft_ms));
  if (summary.itl_ms.count > 0) table.rows.push_back(spread_row("ITL ms", summary.itl_ms));
  if (summary.tpot_ms.count > 0) table.rows.push_back(spread_row("TPOT ms", summary.tpot_ms));
  table.rows.push_back(spread_row("e2e ms", summary.e2e_ms));
  table.rows.push_back(spread_row("prompt tokens", summary.prompt_length));
  table.rows.push_back(spread_row("output tokens", summary.output_length));
  return table;
}

PageTable error_table(const Summary& summary) {
  PageTable table{.title = "Errors",
                  .note = "By kind, with what the first of each kind said.",
                  .columns = {"kind", "count", "said"},
                  .rows = {}};
  for (const auto& [kind, count] : summary.errors) {
    table.rows.push_back({kind, count_text(count), summary.error_samples.at(kind)});
  }
  return table;
}

PageChart throughput_chart(const Timeline& timeline) {
  PageSeries tokens{.name = "output tokens/s",
                    .points = {},
                    .right_axis = false,
                    .dashed = false,
                    .filled = true};
  PageSeries requests{.name = "requests at work",
                      .points = {},
                      .right_axis = true,
                      .dashed = true,
                      .filled = false};
  for (std::size_t i = 0; i < timeline.output_tokens_per_s.size(); ++i) {
    const double middle_s = (static_cast<double>(i) + 0.5) * timeline.bucket_s;
    tokens.points.emplace_back(middle_s, timeline.output_tokens_per_s[i]);
    requests.points.emplace_back(middle_s, timeline.in_flight[i]);
  }
  PageChart chart;
  chart.kind = ChartKind::kLine;
  chart.title = "Throughput over time";
  chart.note = fmt::format("Means of {} s.", timeline.bucket_s);
  chart.x_label = "seconds";
  chart.y_label = "output tokens/s";
  chart.right_label = "requests at work";
  chart.series = {std::move(tokens), std::move(requests)};
  return chart;
}

PageSeries percentile_series(std::string name, std::vector<double> values) {
  std::sort(values.begin(), values.end());
  PageSeries series{
      .name = std::move(name), .points = {}, .right_axis = false, .dashed = false, .filled = false};
  if (values.empty()) return series;
  for (const double percent : kPlotPercents) {
    series.points.emplace_back(percent, percentile(values, percent));
  }
  return series;
}

PageChart percentile_chart(std::span<const RequestRecord> records) {
  std::vector<double> ttft, tpot, e2e;
  for (const RequestRecord& record : records) {
    if (record.outcome != Outcome::kDone) continue;
    if (const auto value = ttft_ms_of(record)) ttft.push_back(*value);
    if (const auto value = tpot_ms_of(record)) tpot.push_back(*value);
    e2e.push_back(e2e_ms_of(record));
  }
  PageChart chart;
  chart.title = "Latency by percentile";
  chart.note = "How many percent of the requests were at least so quick; logarithmic.";
  chart.x_label = "percentile";
  chart.y_label = "ms";
  chart.log_y = true;
  chart.most_x = 100;
  for (PageSeries& series : std::array{percentile_series("TTFT", std::move(ttft)),
                                       percentile_series("TPOT", std::move(tpot)),
                                       percentile_series("e2e", std::move(e2e))}) {
    if (!series.points.empty()) chart.series.push_back(std::move(series));
  }
  return chart;
}

PageChart first_token_chart(const LoadResult& load) {
  constexpr std::size_t kMostDots = 2000;
  PageSeries dots{
      .name = "TTFT", .points = {}, .right_axis = false, .dashed = false, .filled = false};
  const std::size_t step = load.records.size() / kMostDots + 1;
  for (std::size_t i = 0; i < load.records.size(); i += step) {
    const RequestRecord& record = load.records[i];
    if (const auto ttft = ttft_ms_of(record)) {
      dots.points.emplace_back(static_cast<double>(record.start_us - load.begin_us) / 1e6, *ttft);
    }
  }
  PageChart chart;
  chart.kind = ChartKind::kDots;
  chart.title = "Time to first token, request by request";
  chart.note = "Over the moment at which the request was due.";
  chart.x_label = "seconds";
  chart.y_label = "ms";
  chart.series = {std::move(dots)};
  return chart;
}

json::object spread_json(const Spread& spread) {
  if (spread.count == 0) return {{"count", 0}};
  return {{"count", spread.count}, {"mean", spread.mean}, {"min", spread.least},
          {"p50", spread.p50},     {"p90", spread.p90},   {"p99", spread.p99},
          {"max", spread.most}};
}

json::object summary_json(const Summary& summary, const LatencyTargets& targets) {
  json::array errors;
  for (const auto& [kind, count] : summary.errors) {
    errors.push_back(
        {{"kind", kind}, {"count", count}, {"sample", summary.error_samples.at(kind)}});
  }
  json::object out = {{"elapsed_s", summary.elapsed_s},
                      {"requests",
                       {{"done", summary.done},
                        {"failed", summary.failed},
                        {"cancelled", summary.cancelled},
                        {"unfinished", summary.unfinished},
                        {"unfinished_without_token", summary.unfinished_silent},
                        {"reconnected", summary.reconnected},
                        {"without_usage", summary.uncounted}}},
                      {"errors", std::move(errors)},
                      {"requests_per_s", summary.requests_per_s},
                      {"output_tokens_per_s", summary.output_tokens_per_s},
                      {"prompt_tokens_per_s", summary.prompt_tokens_per_s},
                      {"total_tokens_per_s", summary.total_tokens_per_s},
                      {"output_tokens", summary.output_tokens},
                      {"prompt_tokens", summary.prompt_tokens},
                      {"cached_tokens", summary.cached_tokens},
                      {"ttft_ms", spread_json(summary.ttft_ms)},
                      {"itl_ms", spread_json(summary.itl_ms)},
                      {"tpot_ms", spread_json(summary.tpot_ms)},
                      {"e2e_ms", spread_json(summary.e2e_ms)},
                      {"prompt_length", spread_json(summary.prompt_length)},
                      {"output_length", spread_json(summary.output_length)}};
  if (targets.any()) {
    out["goodput"] = json::object{
        {"ttft_ms", or_null(targets.ttft_ms)}, {"itl_ms", or_null(targets.itl_ms)},
        {"e2e_ms", or_null(targets.e2e_ms)},   {"requests", summary.good},
        {"share", summary.good_share},         {"requests_per_s", summary.goodput_per_s}};
  }
  return out;
}

json::object timeline_json(const Timeline& timeline) {
  return {{"bucket_s", timeline.bucket_s},
          {"output_tokens_per_s",
           json::array(timeline.output_tokens_per_s.begin(), timeline.output_tokens_per_s.end())},
          {"in_flight", json::array(timeline.in_flight.begin(), timeline.in_flight.end())}};
}

}  // namespace hangar::bench
