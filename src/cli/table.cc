#include "cli/table.h"

#include <fmt/format.h>
#include <utf8proc.h>

#include <algorithm>

namespace hangar {
namespace {

// Calls visit(code point or -1, bytes) for each character.
template <typename Visit>
void each_character(std::string_view text, Visit visit) {
  while (!text.empty()) {
    utf8proc_int32_t code = -1;
    const utf8proc_ssize_t used =
        utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                         static_cast<utf8proc_ssize_t>(text.size()), &code);
    const std::size_t bytes = used > 0 ? static_cast<std::size_t>(used) : 1;
    visit(used > 0 ? code : -1, text.substr(0, bytes));
    text.remove_prefix(bytes);
  }
}

}  // namespace

std::size_t display_width(std::string_view text) {
  std::size_t cells = 0;
  each_character(text, [&](utf8proc_int32_t code, std::string_view) {
    cells += code < 0 ? 1 : static_cast<std::size_t>(std::max(0, utf8proc_charwidth(code)));
  });
  return cells;
}

std::string format_table(const std::vector<TableColumn>& columns,
                         const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::vector<std::string>> lines(1);
  for (const TableColumn& column : columns) lines[0].push_back(column.title);
  lines.insert(lines.end(), rows.begin(), rows.end());
  std::vector<std::size_t> widths(columns.size(), 0);
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < columns.size(); ++i) {
      widths[i] = std::max(widths[i], display_width(line[i]));
    }
  }
  std::string out;
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const std::string pad(widths[i] - display_width(line[i]), ' ');
      const bool last = i + 1 == columns.size();
      if (columns[i].right) out += pad;
      out += line[i];
      if (!columns[i].right && !last) out += pad;
      out += last ? "\n" : "  ";
    }
  }
  return out;
}

std::string printable(std::string_view text) {
  std::string out;
  each_character(text, [&](utf8proc_int32_t code, std::string_view bytes) {
    if (code == '\n') {
      out += "\\n";
    } else if (code == '\t') {
      out += "\\t";
    } else if (code < 0x20 || (code >= 0x7f && code < 0xa0)) {
      for (const char c : bytes) {
        out += fmt::format("\\x{:02x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
      }
    } else {
      out += bytes;
    }
  });
  return out;
}

}  // namespace hangar
