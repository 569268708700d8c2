#include "bench/page.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cmath>

#include <fmt/format.h>
#include "base/html.h"
#include "base/json.h"
#include "base/version.h"
#include "bench/assets.h"

namespace hangar::bench {
namespace {

namespace json = boost::json;

// JSON for inside a <script>: nothing in it can end the element.
std::string script_json(const json::value& value) {
  std::string out;
  for (const char c : write_json(value)) {
    if (c == '<') {
      out += "\\u003c";
    } else {
      out += c;
    }
  }
  return out;
}

std::string table_html(const PageTable& table) {
  std::string out = fmt::format("<section class=\"wide\"><h2>{}</h2>", escape_html(table.title));
  if (!table.note.empty()) out += fmt::format("<p class=\"note\">{}</p>", escape_html(table.note));
  out += "<div class=\"scroll\"><table><thead><tr>";
  for (const std::string& column : table.columns) {
    out += fmt::format("<th scope=\"col\">{}</th>", escape_html(column));
  }
  out += "</tr></thead><tbody>\n";
  for (const auto& row : table.rows) {
    out += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i) {
      out += i == 0 ? fmt::format("<th scope=\"row\">{}</th>", escape_html(row[i]))
                    : fmt::format("<td>{}</td>", escape_html(row[i]));
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table></div></section>\n";
}

std::string_view kind_name(ChartKind kind) {
  switch (kind) {
    case ChartKind::kLine:
      return "line";
    case ChartKind::kStep:
      return "step";
    case ChartKind::kDots:
      return "dots";
    case ChartKind::kBars:
      return "bars";
  }
  return "";
}

json::value or_null(const std::optional<double>& value) {
  return value ? json::value(*value) : json::value(nullptr);
}

json::object chart_json(const PageChart& chart) {
  json::array series;
  for (const PageSeries& one : chart.series) {
    json::array points;
    for (const auto& [x, y] : one.points) {
      if (std::isfinite(x) && std::isfinite(y)) points.push_back(json::array{x, y});
    }
    series.push_back({{"name", one.name},
                      {"points", std::move(points)},
                      {"right", one.right_axis},
                      {"dashed", one.dashed},
                      {"filled", one.filled}});
  }
  json::array categories;
  for (const std::string& category : chart.categories) categories.emplace_back(category);
  return {{"kind", kind_name(chart.kind)},
          {"xLabel", chart.x_label},
          {"yLabel", chart.y_label},
          {"rightLabel", chart.right_label},
          {"categories", std::move(categories)},
          {"series", std::move(series)},
          {"logY", chart.log_y},
          {"mostX", or_null(chart.most_x)},
          {"mostY", or_null(chart.most_y)},
          {"mostRight", or_null(chart.most_right)}};
}

std::string chart_html(const PageChart& chart, std::size_t number) {
  std::string note;
  if (!chart.note.empty()) note = fmt::format("<p class=\"note\">{}</p>", escape_html(chart.note));
  return fmt::format(
      "<section><h2>{0}</h2>{1}<div class=\"chart\"><canvas id=\"chart-{2}\" role=\"img\" "
      "aria-label=\"{0}\"></canvas></div><details><summary>Numbers</summary><div class=\"scroll\" "
      "id=\"numbers-{2}\"></div></details></section>\n",
      escape_html(chart.title), note, number);
}

}  // namespace

std::string make_page(const Page& page) {
  std::string body;
  json::array charts;
  for (const auto& section : page.sections) {
    if (const auto* table = std::get_if<PageTable>(&section)) {
      body += table_html(*table);
    } else {
      const auto& chart = std::get<PageChart>(section);
      body += chart_html(chart, charts.size());
      charts.push_back(chart_json(chart));
    }
  }
  std::string facts;
  for (const auto& [name, value] : page.facts) {
    facts += fmt::format("<dt>{}</dt><dd>{}</dd>\n", escape_html(name), escape_html(value));
  }
  // The policy makes sure that nothing can be fetched, whatever a model's name holds.
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
      "script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:\">\n"
      "<title>{title}</title>\n<style>\n{css}</style>\n</head>\n<body>\n"
      "<header><h1>{title}</h1><p>{subtitle}</p></header>\n"
      "<noscript><p class=\"note\">The charts need JavaScript; the tables do not.</p></noscript>\n"
      "<dl>\n{facts}</dl>\n<main>\n{body}</main>\n"
      "<footer>hangar {version}</footer>\n"
      "<script type=\"application/json\" id=\"data\">{data}</script>\n"
      "<script>\n{chart_js}\n</script>\n<script>\n{page_js}</script>\n</body>\n</html>\n",
      fmt::arg("title", escape_html(page.title)), fmt::arg("css", page_css()),
      fmt::arg("subtitle", escape_html(page.subtitle)), fmt::arg("facts", facts),
      fmt::arg("body", body), fmt::arg("version", kVersion), fmt::arg("data", script_json(charts)),
      fmt::arg("chart_js", chart_js()), fmt::arg("page_js", page_js()));
}

}  // namespace hangar::bench
