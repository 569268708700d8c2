#include "bench/offline/offline_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include "base/version.h"
#include "bench/report_parts.h"

namespace hangar::bench {
namespace {

namespace json = boost::json;

constexpr const char* kNothing = "-";

std::string_view unit_of(const OfflineTest& test) {
  return test.measures_time() ? "ms" : "tok/s";
}

std::string figure_text(double value, const OfflineTest& test) {
  return fmt::format("{} {}", shown_number(value), unit_of(test));
}

bool any(const OfflineRun& run, bool (*has)(const OfflineResult&)) {
  return std::any_of(run.results.begin(), run.results.end(), has);
}

double busy_s(const Span& span) {
  return std::min(span.seconds, span.device_s.value_or(span.busy_s));
}

double us_a_step(double seconds, const Span& span) {
  return span.steps > 0 ? seconds * 1e6 / static_cast<double>(span.steps) : 0.0;
}

PageTable speed_table(const OfflineRun& run) {
  const bool peers = any(run, [](const OfflineResult& one) { return one.test.peer.has_value(); });
  PageTable table{.title = "Speed",
                  .note =
                      "Of several runs the median. Bound: what the bytes and operations of the "
                      "model allow at the machine's rates.",
                  .columns = {"TEST", "MEASURED", "RANGE", "BOUND", "SHARE"},
                  .rows = {}};
  if (peers) table.columns.emplace_back("PEER");
  table.columns.emplace_back("WITH PROMPTS");
  for (const OfflineResult& one : run.results) {
    std::vector<std::string> row = {one.test.name()};
    if (one.figures.empty()) {
      row.emplace_back("skipped");
      row.resize(table.columns.size(), kNothing);
      table.rows.push_back(std::move(row));
      continue;
    }
    const auto [least, most] = std::minmax_element(one.figures.begin(), one.figures.end());
    row.push_back(figure_text(one.median(), one.test));
    row.push_back(one.figures.size() > 1
                      ? fmt::format("{} to {}", shown_number(*least), shown_number(*most))
                      : kNothing);
    row.push_back(one.bound > 0.0 ? shown_number(one.bound) : kNothing);
    row.push_back(one.bound > 0.0 ? shown_share(one.share()) : kNothing);
    if (peers) row.push_back(one.test.peer ? shown_number(*one.test.peer) : kNothing);
    row.push_back(one.with_prompts ? shown_number(*one.with_prompts) : kNothing);
    table.rows.push_back(std::move(row));
  }
  return table;
}

PageTable step_table(const OfflineRun& run) {
  PageTable table{.title = "Steps",
                  .note =
                      "Of the run with the median. Host: the engine's own thread, which works "
                      "beside the backend.",
                  .columns = {"TEST", "STEPS", "ROWS", "STEP US", "BUSY", "GAPS", "HOST US"},
                  .rows = {}};
  for (const OfflineResult& one : run.results) {
    const Span& span = one.measured;
    if (one.figures.empty() || span.steps == 0 || span.seconds <= 0.0) continue;
    const double busy = busy_s(span) / span.seconds;
    table.rows.push_back(
        {one.test.name(), fmt::format("{}", span.steps),
         shown_number(static_cast<double>(span.rows) / static_cast<double>(span.steps)),
         shown_number(us_a_step(span.seconds, span)), shown_share(busy), shown_share(1.0 - busy),
         shown_number(us_a_step(span.host_s, span))});
  }
  return table;
}

PageTable skipped_table(const OfflineRun& run) {
  PageTable table{.title = "Skipped", .note = {}, .columns = {"SKIPPED", "said"}, .rows = {}};
  for (const OfflineResult& one : run.results) {
    if (one.figures.empty()) table.rows.push_back({one.test.name(), one.skipped});
  }
  return table;
}

json::value number_or_null(double value) {
  return value > 0.0 ? json::value(value) : json::value(nullptr);
}

json::object result_json(const OfflineResult& one) {
  const OfflineTest& test = one.test;
  json::object out = {{"test", test.name()},
                      {"requests", test.requests},
                      {"input_tokens", test.input_tokens},
                      {"output_tokens", test.output_tokens},
                      {"unit", std::string(unit_of(test))}};
  if (test.at_once > 0) out["at_once"] = test.at_once;
  if (one.figures.empty()) {
    out["skipped"] = one.skipped;
    return out;
  }
  out["median"] = one.median();
  out["runs"] = json::array(one.figures.begin(), one.figures.end());
  out["bound"] = number_or_null(one.bound);
  out["share"] = number_or_null(one.share());
  if (test.peer) out["peer"] = *test.peer;
  if (one.with_prompts) out["with_prompts"] = *one.with_prompts;
  const Span& span = one.measured;
  json::object step = {{"count", span.steps},
                       {"seconds", span.seconds},
                       {"output_tokens", span.tokens},
                       {"rows", span.rows},
                       {"us", us_a_step(span.seconds, span)},
                       {"under_way_us", us_a_step(span.busy_s, span)},
                       {"host_us", us_a_step(span.host_s, span)},
                       {"busy_us", us_a_step(busy_s(span), span)},
                       {"gaps_us", us_a_step(span.seconds - busy_s(span), span)},
                       {"busy_is_the_devices", span.device_s.has_value()}};
  out["steps"] = std::move(step);
  return out;
}

}  // namespace

std::vector<PageTable> offline_tables(const OfflineReport& report) {
  std::vector<PageTable> tables = {speed_table(report.run)};
  for (PageTable& table : std::array{step_table(report.run), skipped_table(report.run)}) {
    if (!table.rows.empty()) tables.push_back(std::move(table));
  }
  return tables;
}

json::object offline_json(const OfflineReport& report) {
  json::object facts;
  for (const auto& [name, value] : report.facts) facts[name] = value;
  json::object out = {{"benchmark", "engine"}, {"hangar", kVersion}};
  out["about"] = std::move(facts);
  out["machine"] = {{"bytes_per_s", number_or_null(report.rates.bytes_per_s)},
                    {"operations_per_s", number_or_null(report.rates.operations_per_s)}};
  out["load_s"] = report.load_s;
  out["process_start_to_first_token_s"] =
      report.first_token_s ? json::value(*report.first_token_s) : json::value(nullptr);
  out["interrupted"] = report.run.interrupted;
  json::array tests;
  for (const OfflineResult& one : report.run.results) tests.push_back(result_json(one));
  out["tests"] = std::move(tests);
  return out;
}

}  // namespace hangar::bench
