#include "bench/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <regex>
#include <string>

#include "base/json.h"
#include "bench/assets.h"
#include "bench/serve_report.h"

namespace hangar::bench {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Page some_page() {
  Page page;
  page.title = "A <b>title</b> & more";
  page.subtitle = "under it";
  page.facts = {{"model", "</script><script src=\"http://elsewhere.example/x.js\"></script>"}};
  page.sections.emplace_back(
      PageTable{.title = "Table", .note = "", .columns = {"", "v"}, .rows = {{"row", "1 < 2"}}});
  PageChart chart;
  chart.title = "Chart";
  chart.series = {{.name = "</script>line",
                   .points = {{0, 1}, {1, std::nan("")}, {2, 5.5}},
                   .right_axis = false,
                   .dashed = false,
                   .filled = false}};
  page.sections.emplace_back(chart);
  return page;
}

// The page without Chart.js, whose own text is not ours to judge.
std::string without_chart_js(std::string html) {
  const std::size_t at = html.find(chart_js());
  EXPECT_NE(at, std::string::npos) << "Chart.js is part of the page";
  return html.erase(at, chart_js().size());
}

TEST(Page, HoldsNoReferenceToAnythingElse) {
  const std::string html = without_chart_js(make_page(some_page()));
  const std::regex reference(
      R"re(<[^>]*\s(src|href|action|data)\s*=|@import|url\(|fetch\(|XMLHttpRequest|import\()re",
      std::regex::icase);
  std::smatch found;
  EXPECT_FALSE(std::regex_search(html, found, reference)) << found.str();
  EXPECT_THAT(html, HasSubstr("default-src 'none'"));
  // And what Chart.js is: one script that asks for nothing.
  const std::string library(chart_js());
  EXPECT_GT(library.size(), 100'000U);
  EXPECT_THAT(library, Not(HasSubstr("</script")));
  EXPECT_THAT(library, Not(HasSubstr("XMLHttpRequest")));
  EXPECT_THAT(library, Not(HasSubstr("fetch(")));
}

TEST(Page, EscapesWhatItIsGiven) {
  const std::string html = without_chart_js(make_page(some_page()));
  EXPECT_THAT(html, HasSubstr("<title>A &lt;b&gt;title&lt;/b&gt; &amp; more</title>"));
  EXPECT_THAT(html, HasSubstr("<td>1 &lt; 2</td>"));
  EXPECT_THAT(html, Not(HasSubstr("elsewhere.example/x.js\">")));
  std::size_t scripts = 0;
  for (std::size_t at = html.find("</script>"); at != std::string::npos;
       at = html.find("</script>", at + 1)) {
    ++scripts;
  }
  EXPECT_EQ(scripts, 3U) << "the data, Chart.js and our own: nothing else can end a script";
}

TEST(Page, DataReadBackAsTheyWere) {
  const std::string html = make_page(some_page());
  const std::string begin = "<script type=\"application/json\" id=\"data\">";
  const std::size_t from = html.find(begin) + begin.size();
  const auto data = parse_json(html.substr(from, html.find("</script>", from) - from), "data");
  ASSERT_TRUE(data.has_value()) << data.error().message;
  const auto& series = data->at(0).at("series").at(0);
  EXPECT_EQ(series.at("name").as_string(), "</script>line");
  ASSERT_EQ(series.at("points").as_array().size(), 2U) << "what is not finite is left out";
  EXPECT_DOUBLE_EQ(series.at("points").at(1).at(1).to_number<double>(), 5.5);
}

TEST(ServeReport, SaysTheSameInTablesJsonAndPage) {
  ServeReport report;
  report.facts = {{"server", "http://127.0.0.1:8000"}};
  report.targets.ttft_ms = 100;
  report.load.begin_us = 0;
  report.load.elapsed_us = 2'000'000;
  for (int i = 0; i < 8; ++i) {
    RequestRecord record;
    record.outcome = Outcome::kDone;
    record.start_us = i * 100'000;
    record.piece_us = {record.start_us + 50'000, record.start_us + 70'000};
    record.end_us = record.piece_us.back();
    record.output_tokens = 2;
    record.prompt_tokens = 30;
    record.counted_by_server = true;
    report.load.records.push_back(record);
  }
  RequestRecord failed;
  failed.outcome = Outcome::kFailed;
  failed.error = "http 429";
  failed.error_detail = "queue full";
  report.load.records.push_back(failed);
  report.summary = summarize(report.load.records, report.load.elapsed_us, report.targets);

  const auto tables = serve_tables(report);
  ASSERT_EQ(tables.size(), 3U);
  EXPECT_THAT(tables[0].rows,
              ::testing::Contains(::testing::ElementsAre("output tokens/s", "8.00")));
  EXPECT_THAT(tables[0].rows,
              ::testing::Contains(::testing::ElementsAre("requests within the targets", "88.9%")));
  EXPECT_EQ(tables[1].rows[0][0], "TTFT ms");
  EXPECT_EQ(tables[1].rows[0][3], "50.00");
  EXPECT_THAT(tables[2].rows,
              ::testing::ElementsAre(::testing::ElementsAre("http 429", "1", "queue full")));

  const auto json = serve_json(report);
  EXPECT_DOUBLE_EQ(json.at("output_tokens_per_s").as_double(), 8.0);
  EXPECT_DOUBLE_EQ(json.at("ttft_ms").at("p99").as_double(), 50.0);
  EXPECT_DOUBLE_EQ(json.at("itl_ms").at("p50").as_double(), 20.0);
  EXPECT_EQ(json.at("goodput").at("requests").as_int64(), 8);
  EXPECT_EQ(json.at("errors").at(0).at("kind").as_string(), "http 429");

  const std::string html = make_page(serve_page(report));
  EXPECT_THAT(html, HasSubstr("8.00 output tokens/s"));
  EXPECT_THAT(html, HasSubstr("Time to first token, request by request"));
}

}  // namespace
}  // namespace hangar::bench
