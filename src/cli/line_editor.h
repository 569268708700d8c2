// LineEditor: lines from a person (with editing and history) or from a pipe (as they come).
//
// Promise: on a terminal libedit edits the line, the arrows walk through the history, and the
// history
//   file (only its owner may read it) gets each line. Elsewhere lines are read without a prompt.
// Errors: a history file that cannot be read or written is a warning once, never an end.
// Threads: main's; an InterruptScope must stand, so that Ctrl-C drops the line instead of the
// program.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

namespace hangar {

enum class LineEnd { kLine, kInterrupted, kEnd };

class LineEditor {
 public:
  virtual ~LineEditor() = default;
  // kLine: `line` holds it without its newline. kInterrupted: Ctrl-C. kEnd: Ctrl-D or end of file.
  virtual LineEnd read(const std::string& prompt, std::string& line) = 0;
  virtual bool interactive() const = 0;
};

// The terminal's editor where standard input and output are a terminal, else the plain reader.
std::unique_ptr<LineEditor> make_line_editor(const std::filesystem::path& history_file);
// Reads lines of any length from fd.
std::unique_ptr<LineEditor> make_pipe_reader(int fd);

}  // namespace hangar
