#include "cli/line_editor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <histedit.h>
#include <langinfo.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cstring>
#include <cwchar>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/terminal.h"
#include "cli/interrupt.h"
#include "cli/report.h"

namespace hangar {
namespace {

constexpr int kHistoryLines = 1000;

class PipeReader : public LineEditor {
 public:
  explicit PipeReader(int fd) : fd_(fd) {}

  LineEnd read(const std::string&, std::string& line) override {
    while (true) {
      const std::size_t newline = held_.find('\n');
      if (newline != std::string::npos) {
        line = held_.substr(0, newline);
        held_.erase(0, newline + 1);
        if (line.ends_with('\r')) line.pop_back();
        return LineEnd::kLine;
      }
      char piece[4096];
      const ssize_t n = ::read(fd_, piece, sizeof piece);
      if (n > 0) {
        held_.append(piece, static_cast<std::size_t>(n));
        continue;
      }
      if (n < 0 && errno == EINTR) {
        if (InterruptScope::taken()) return LineEnd::kInterrupted;
        continue;
      }
      // The last line may have no newline.
      if (held_.empty()) return LineEnd::kEnd;
      line = std::exchange(held_, {});
      return LineEnd::kLine;
    }
  }
  bool interactive() const override { return false; }

 private:
  int fd_;
  std::string held_;
};

// libedit works in the locale's encoding; people type UTF-8 whatever LANG says.
void use_utf8_locale() {
  std::setlocale(LC_CTYPE, "");
  if (std::string_view(::nl_langinfo(CODESET)) != "UTF-8") std::setlocale(LC_CTYPE, "C.UTF-8");
}

class TerminalEditor : public LineEditor {
 public:
  explicit TerminalEditor(std::filesystem::path history_file)
      : history_file_(std::move(history_file)) {
    use_utf8_locale();
    edit_ = ::el_init("hangar", stdin, stdout, stderr);
    history_ = ::history_init();
    if (edit_ == nullptr || history_ == nullptr) return;
    HistEvent event;
    ::history(history_, &event, H_SETSIZE, kHistoryLines);
    ::history(history_, &event, H_SETUNIQUE, 1);
    ::el_set(edit_, EL_CLIENTDATA, this);
    ::el_set(edit_, EL_PROMPT, &TerminalEditor::prompt_of);
    ::el_set(edit_, EL_EDITOR, "emacs");
    ::el_set(edit_, EL_HIST, ::history, history_);
    ::el_set(edit_, EL_GETCFN, &TerminalEditor::read_character);
    ::el_set(edit_, EL_BIND, "^R", "em-inc-search-prev", nullptr);
    ::el_set(edit_, EL_BIND, "\\e[3~", "ed-delete-next-char", nullptr);
    ::el_set(edit_, EL_BIND, "\\e[H", "ed-move-to-beg", nullptr);
    ::el_set(edit_, EL_BIND, "\\e[F", "ed-move-to-end", nullptr);
    std::error_code ignored;
    if (std::filesystem::exists(history_file_, ignored) &&
        ::history(history_, &event, H_LOAD, history_file_.c_str()) < 0) {
      warn_of_history("read");
    }
  }

  ~TerminalEditor() override {
    if (history_ != nullptr) ::history_end(history_);
    if (edit_ != nullptr) ::el_end(edit_);
  }
  TerminalEditor(const TerminalEditor&) = delete;
  TerminalEditor& operator=(const TerminalEditor&) = delete;

  bool usable() const { return edit_ != nullptr && history_ != nullptr; }
  bool interactive() const override { return true; }

  LineEnd read(const std::string& prompt, std::string& line) override {
    prompt_ = prompt;
    interrupted_ = false;
    InterruptScope::taken();  // one that came after the answer's end meant the answer
    int length = 0;
    const char* text = ::el_gets(edit_, &length);
    if (interrupted_) {
      InterruptScope::taken();
      ::el_reset(edit_);
      return LineEnd::kInterrupted;
    }
    if (text == nullptr || length <= 0) return LineEnd::kEnd;
    line.assign(text, static_cast<std::size_t>(length));
    while (line.ends_with('\n') || line.ends_with('\r')) line.pop_back();
    remember(line);
    return LineEnd::kLine;
  }

 private:
  static TerminalEditor& self_of(EditLine* edit) {
    void* self = nullptr;
    ::el_get(edit, EL_CLIENTDATA, &self);
    return *static_cast<TerminalEditor*>(self);
  }
  static char* prompt_of(EditLine* edit) { return self_of(edit).prompt_.data(); }

  // libedit's own reader starts again after a signal; this one gives up the line on Ctrl-C.
  static int read_character(EditLine* edit, wchar_t* out) {
    std::mbstate_t state{};
    while (true) {
      char byte = 0;
      const ssize_t n = ::read(STDIN_FILENO, &byte, 1);
      if (n == 0) return 0;
      if (n < 0) {
        if (errno == EINTR && InterruptScope::pending()) {
          self_of(edit).interrupted_ = true;
          return -1;
        }
        if (errno == EINTR) continue;
        if (errno == EAGAIN) {
          pollfd entry{STDIN_FILENO, POLLIN, 0};
          ::poll(&entry, 1, -1);
          continue;
        }
        return -1;
      }
      const std::size_t used = std::mbrtowc(out, &byte, 1, &state);
      if (used == static_cast<std::size_t>(-2)) continue;  // more bytes to come
      if (used == static_cast<std::size_t>(-1)) {
        state = {};  // no character: drop it
        continue;
      }
      if (used == 0) *out = L'\0';
      return 1;
    }
  }

  void remember(const std::string& line) {
    if (line.find_first_not_of(" \t") == std::string::npos) return;
    HistEvent event;
    ::history(history_, &event, H_ENTER, line.c_str());
    std::error_code ignored;
    std::filesystem::create_directories(history_file_.parent_path(), ignored);
    // What people tell a model is theirs alone: the file is made private before it has a word in
    // it.
    const int fd = ::open(history_file_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd >= 0) ::close(fd);
    if (fd < 0 || ::history(history_, &event, H_SAVE, history_file_.c_str()) < 0) {
      warn_of_history("write");
    }
  }

  void warn_of_history(std::string_view what) {
    if (std::exchange(warned_, true)) return;
    report_warning(fmt::format("{}: cannot {} the history: {}", history_file_.string(), what,
                               std::strerror(errno)));
  }

  std::filesystem::path history_file_;
  EditLine* edit_ = nullptr;
  History* history_ = nullptr;
  std::string prompt_;
  bool interrupted_ = false;
  bool warned_ = false;
};

}  // namespace

std::unique_ptr<LineEditor> make_pipe_reader(int fd) {
  return std::make_unique<PipeReader>(fd);
}

std::unique_ptr<LineEditor> make_line_editor(const std::filesystem::path& history_file) {
  if (is_terminal(STDIN_FILENO) && ::isatty(STDOUT_FILENO) == 1) {
    auto editor = std::make_unique<TerminalEditor>(history_file);
    if (editor->usable()) return editor;
  }
  return make_pipe_reader(STDIN_FILENO);
}

}  // namespace hangar
