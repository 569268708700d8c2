// Columns of text for the terminal, aligned by how wide characters are shown.
//
// Promise: display_width counts terminal cells (East Asian wide characters take two, combining
// marks
//   none); format_table pads every column but the last to its widest cell, two spaces between.
// Errors: none; bytes that are not UTF-8 count one cell each.
// Threads: pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace hangar {

std::size_t display_width(std::string_view text);

struct TableColumn {
  std::string title;
  bool right = false;  // numbers stand to the right
};
// A line of titles, then a line for each row.
std::string format_table(const std::vector<TableColumn>& columns,
                         const std::vector<std::vector<std::string>>& rows);

// Control characters (a hostile file's metadata) written as \n, \x1b and so on.
std::string printable(std::string_view text);

}  // namespace hangar
