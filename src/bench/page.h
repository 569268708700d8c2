// Page: a benchmark's report as one HTML file that needs nothing else.
//
// Promise: make_page() gives a whole page: its own styles, Chart.js and the data are in it; it
// names no
//   other address and runs without a network, from a file. Text is escaped; a chart comes with its
//   numbers as a table that can be unfolded.
// Units: as the page's author says in the labels.
// Errors: none; numbers that are not finite are left out of charts.
// Threads: pure functions.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace hangar::bench {

struct PageTable {
  std::string title;
  std::string note;
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;  // the first cell is the row's name
};

struct PageSeries {
  std::string name;
  std::vector<std::pair<double, double>> points;  // x and y; bars: x is the index of the category
  bool right_axis = false;
  bool dashed = false;
  bool filled = false;
};

enum class ChartKind : std::uint8_t { kLine, kStep, kDots, kBars };

struct PageChart {
  ChartKind kind = ChartKind::kLine;
  std::string title;
  std::string note;
  std::string x_label;
  std::string y_label;
  std::string right_label;
  std::vector<std::string> categories;  // bars
  std::vector<PageSeries> series;
  bool log_y = false;
  std::optional<double> most_x;
  std::optional<double> most_y;
  std::optional<double> most_right;
};

struct Page {
  std::string title;
  std::string subtitle;
  std::vector<std::pair<std::string, std::string>> facts;  // what was measured, name and value
  std::vector<std::variant<PageTable, PageChart>> sections;
};

std::string make_page(const Page& page);

}  // namespace hangar::bench
