#include "cli/commands/bench_output.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/json.h"
#include "cli/table.h"

namespace hangar {

Status write_bench_file(const std::string& name, std::string_view text) {
  const int fd = ::open(name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return make_error(ErrorCode::kIo, "{}: {}", name, std::strerror(errno));
  Output file(fd, name);
  Status written = file.write(text);
  if (written) written = file.flush();
  if (::close(fd) != 0 && written) {
    return make_error(ErrorCode::kIo, "{}: {}", name, std::strerror(errno));
  }
  return written;
}

Status write_bench_output(Output& out, const BenchOutput& output, const std::string& json_file) {
  const std::string text = write_json(output.json, 1) + "\n";
  if (json_file == "-") return out.write(text);
  for (const auto& [name, value] : output.facts) {
    HANGAR_CHECK_OK(out.print("{}: {}\n", name, value));
  }
  for (const bench::PageTable& table : output.tables) {
    std::vector<TableColumn> columns;
    for (const std::string& column : table.columns) {
      columns.push_back({column, !columns.empty() && column != "said"});
    }
    HANGAR_CHECK_OK(out.print("\n{}", format_table(columns, table.rows)));
  }
  if (!output.last_line.empty()) HANGAR_CHECK_OK(out.print("\n{}\n", output.last_line));
  return json_file.empty() ? Status() : write_bench_file(json_file, text);
}

}  // namespace hangar
