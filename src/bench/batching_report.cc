#include "bench/batching_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <cmath>

#include "base/version.h"
#include "bench/report_parts.h"
#include "bench/timeline.h"

namespace hangar::bench {
namespace {

namespace json = boost::json;

std::string name_of(const BatchingRun& run) {
  return std::string(kBatchingNames.of(run.policy));
}

double slots_share(const BatchingReport& report, const BatchingRun& run) {
  return run.use.mean_slots() / static_cast<double>(report.slots);
}

PageTable side_by_side(const BatchingReport& report) {
  PageTable table{.title = "Side by side",
                  .note =
                      "The same requests through each policy. Busy: share of time in steps of "
                      "the model; slots: mean share of the places for sequences that a step "
                      "filled.",
                  .columns = {"policy", "output tok/s", "total tok/s", "requests/s", "seconds",
                              "busy", "slots", "steps", "failed"},
                  .rows = {}};
  if (report.targets.any()) table.columns.push_back("goodput/s");
  for (const BatchingRun& run : report.runs) {
    const Summary& summary = run.summary;
    table.rows.push_back({name_of(run), shown_number(summary.output_tokens_per_s),
                          shown_number(summary.total_tokens_per_s),
                          shown_number(summary.requests_per_s), shown_number(summary.elapsed_s),
                          shown_share(run.use.mean_busy_share()),
                          shown_share(slots_share(report, run)), fmt::format("{}", run.stats.steps),
                          fmt::format("{}", summary.failed)});
    if (report.targets.any()) table.rows.back().push_back(shown_number(summary.goodput_per_s));
  }
  return table;
}

PageTable latencies(const BatchingReport& report) {
  PageTable table{.title = "Latency",
                  .note =
                      "Milliseconds. TTFT: until the first token; ITL: between two tokens of a "
                      "request; e2e: the whole request.",
                  .columns = {"policy"},
                  .rows = {}};
  for (const char* what : {"TTFT", "ITL", "e2e"}) {
    for (const char* which : {"p50", "p90", "p99"}) {
      table.columns.push_back(fmt::format("{} {}", what, which));
    }
  }
  for (const BatchingRun& run : report.runs) {
    std::vector<std::string> row = {name_of(run)};
    for (const Spread& spread : {run.summary.ttft_ms, run.summary.itl_ms, run.summary.e2e_ms}) {
      for (const double value : {spread.p50, spread.p90, spread.p99}) {
        row.push_back(spread.count == 0 ? "-" : shown_number(value));
      }
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

PageChart bars(const BatchingReport& report, std::string title, std::string note,
               std::string y_label, double (*value)(const BatchingRun& run)) {
  PageChart chart;
  chart.kind = ChartKind::kBars;
  chart.title = std::move(title);
  chart.note = std::move(note);
  chart.y_label = y_label;
  PageSeries series{.name = std::move(y_label),
                    .points = {},
                    .right_axis = false,
                    .dashed = false,
                    .filled = false};
  for (const BatchingRun& run : report.runs) {
    series.points.emplace_back(static_cast<double>(chart.categories.size()), value(run));
    chart.categories.push_back(name_of(run));
  }
  chart.series = {std::move(series)};
  return chart;
}

// At most so many points: neighbours are averaged.
std::vector<UseSample> thinned(const std::vector<UseSample>& samples) {
  constexpr std::size_t kMostPoints = 600;
  const std::size_t group = samples.size() / kMostPoints + 1;
  std::vector<UseSample> out;
  for (std::size_t i = 0; i < samples.size(); i += group) {
    const std::size_t end = std::min(i + group, samples.size());
    UseSample mean;
    for (std::size_t j = i; j < end; ++j) {
      mean.slots += samples[j].slots;
      mean.busy_share += samples[j].busy_share;
    }
    mean.slots /= static_cast<double>(end - i);
    mean.busy_share /= static_cast<double>(end - i);
    mean.waiting = samples[end - 1].waiting;
    mean.time_us = samples[end - 1].time_us;
    out.push_back(mean);
  }
  return out;
}

// The ends of the axes, the same in every policy's chart.
struct UseAxes {
  double most_s = 1;
  double most_waiting = 1;
};

UseAxes use_axes(const BatchingReport& report) {
  UseAxes axes;
  for (const BatchingRun& run : report.runs) {
    axes.most_s = std::max(axes.most_s, std::ceil(run.summary.elapsed_s));
    for (const UseSample& sample : run.use.samples()) {
      axes.most_waiting = std::max(axes.most_waiting, static_cast<double>(sample.waiting));
    }
  }
  return axes;
}

PageChart use_chart(const BatchingReport& report, const BatchingRun& run, const UseAxes& axes) {
  PageSeries slots{
      .name = "slots in use", .points = {}, .right_axis = false, .dashed = false, .filled = true};
  PageSeries waiting{.name = "sequences waiting",
                     .points = {},
                     .right_axis = true,
                     .dashed = true,
                     .filled = false};
  for (const UseSample& sample : thinned(run.use.samples())) {
    const double time_s = static_cast<double>(sample.time_us) / 1e6;
    slots.points.emplace_back(time_s, sample.slots);
    waiting.points.emplace_back(time_s, static_cast<double>(sample.waiting));
  }
  PageChart chart;
  chart.kind = ChartKind::kStep;
  chart.title = fmt::format("Slots in use: {}", name_of(run));
  chart.note =
      fmt::format("{} of {} slots in use on average, busy {} of the time, done after {} s.",
                  shown_number(run.use.mean_slots()), report.slots,
                  shown_share(run.use.mean_busy_share()), shown_number(run.summary.elapsed_s));
  chart.x_label = "seconds";
  chart.y_label = "slots in use";
  chart.right_label = "waiting";
  chart.most_x = axes.most_s;
  chart.most_y = report.slots;
  chart.most_right = axes.most_waiting;
  chart.series = {std::move(slots), std::move(waiting)};
  return chart;
}

// "continuous: 612.0 output tokens/s, 3.10 times none, 1.42 times static"
std::string verdict(const BatchingReport& report) {
  const auto speed = [](const BatchingRun& run) { return run.summary.output_tokens_per_s; };
  const auto best = std::max_element(
      report.runs.begin(), report.runs.end(),
      [&](const BatchingRun& a, const BatchingRun& b) { return speed(a) < speed(b); });
  if (best == report.runs.end()) return {};
  std::string text =
      fmt::format("{}: {} output tokens/s", name_of(*best), shown_number(speed(*best)));
  for (const BatchingRun& run : report.runs) {
    if (&run == &*best || speed(run) <= 0) continue;
    text += fmt::format(", {:.2f} times {}", speed(*best) / speed(run), name_of(run));
  }
  return text;
}

}  // namespace

std::vector<PageTable> batching_tables(const BatchingReport& report) {
  std::vector<PageTable> tables = {side_by_side(report), latencies(report)};
  for (const BatchingRun& run : report.runs) {
    if (run.summary.failed == 0) continue;
    tables.push_back(error_table(run.summary));
    tables.back().title += ": " + name_of(run);
  }
  return tables;
}

json::object batching_json(const BatchingReport& report) {
  json::object facts;
  for (const auto& [name, value] : report.facts) facts[name] = value;
  json::array policies;
  for (const BatchingRun& run : report.runs) {
    json::object out = {{"policy", name_of(run)}};
    for (auto& [name, value] : summary_json(run.summary, report.targets)) out[name] = value;
    out["steps"] = run.stats.steps;
    out["preemptions"] = run.stats.preemptions;
    out["busy_share"] = run.use.mean_busy_share();
    out["slots_share"] = slots_share(report, run);
    json::array times, slots, busy, waiting;
    for (const UseSample& sample : run.use.samples()) {
      times.push_back(static_cast<double>(sample.time_us) / 1e6);
      slots.push_back(sample.slots);
      busy.push_back(sample.busy_share);
      waiting.push_back(sample.waiting);
    }
    out["use"] = json::object{{"time_s", std::move(times)},
                              {"slots", std::move(slots)},
                              {"busy_share", std::move(busy)},
                              {"waiting", std::move(waiting)}};
    policies.push_back(std::move(out));
  }
  json::object out = {{"benchmark", "batching"}, {"hangar", kVersion}};
  out["about"] = std::move(facts);
  out["slots"] = report.slots;
  out["policies"] = std::move(policies);
  return out;
}

Page batching_page(const BatchingReport& report) {
  Page page;
  page.title = "Batching policies side by side";
  page.facts = report.facts;
  page.subtitle = verdict(report);
  const UseAxes axes = use_axes(report);
  for (PageTable& table : batching_tables(report)) page.sections.emplace_back(std::move(table));
  page.sections.emplace_back(bars(
      report, "Throughput", "More is better.", "output tokens/s",
      +[](const BatchingRun& run) { return run.summary.output_tokens_per_s; }));
  page.sections.emplace_back(bars(
      report, "Time to first token, p99", "Less is better.", "ms",
      +[](const BatchingRun& run) { return run.summary.ttft_ms.p99; }));
  for (const BatchingRun& run : report.runs) {
    page.sections.emplace_back(use_chart(report, run, axes));
  }
  PageChart gaps;
  gaps.title = "Time to first token by percentile";
  gaps.x_label = "percentile";
  gaps.y_label = "ms";
  gaps.log_y = true;
  gaps.most_x = 100;
  for (const BatchingRun& run : report.runs) {
    std::vector<double> ttft;
    for (const RequestRecord& record : run.load.records) {
      if (const auto value = ttft_ms_of(record)) ttft.push_back(*value);
    }
    gaps.series.push_back(percentile_series(name_of(run), std::move(ttft)));
  }
  page.sections.emplace_back(std::move(gaps));
  return page;
}

}  // namespace hangar::bench
