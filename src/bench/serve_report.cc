#include "bench/serve_report.h"

#include <fmt/format.h>

#include "base/version.h"
#include "bench/report_parts.h"
#include "bench/timeline.h"

namespace hangar::bench {

std::vector<PageTable> serve_tables(const ServeReport& report) {
  std::vector<PageTable> tables = {throughput_table(report.summary, report.targets),
                                   latency_table(report.summary)};
  if (report.summary.failed > 0) tables.push_back(error_table(report.summary));
  return tables;
}

boost::json::object serve_json(const ServeReport& report) {
  boost::json::object facts;
  for (const auto& [name, value] : report.facts) facts[name] = value;
  boost::json::object out = {{"benchmark", "serve"}, {"hangar", kVersion}};
  out["about"] = std::move(facts);
  out["interrupted"] = report.load.interrupted;
  for (auto& [name, value] : summary_json(report.summary, report.targets)) out[name] = value;
  out["timeline"] = timeline_json(
      make_timeline(report.load.records, report.load.begin_us, report.load.elapsed_us));
  return out;
}

Page serve_page(const ServeReport& report) {
  Page page;
  page.title = "Load on a server";
  page.subtitle = fmt::format("{} output tokens/s, {} requests/s over {} s",
                              shown_number(report.summary.output_tokens_per_s),
                              shown_number(report.summary.requests_per_s),
                              shown_number(report.summary.elapsed_s));
  if (report.load.interrupted) page.subtitle += " (stopped early)";
  page.facts = report.facts;
  for (PageTable& table : serve_tables(report)) page.sections.emplace_back(std::move(table));
  page.sections.emplace_back(throughput_chart(
      make_timeline(report.load.records, report.load.begin_us, report.load.elapsed_us)));
  page.sections.emplace_back(percentile_chart(report.load.records));
  PageChart first = first_token_chart(report.load);
  if (!first.series.front().points.empty()) page.sections.emplace_back(std::move(first));
  return page;
}

}  // namespace hangar::bench
