#include "cli/cli.h"

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/output.h"
#include "base/version.h"
#include "cli/command.h"
#include "cli/program.h"
#include "cli/report.h"

namespace hangar {
namespace {

// Outside an InterruptScope Ctrl-C ends the program as shells expect it.
void exit_on_interrupt(int) {
  ::_exit(130);
}

Result<int> run_guarded(const std::vector<std::string>& arguments, Output& out) {
  try {
    return run_program(arguments, out);
  } catch (const std::bad_alloc&) {
    return make_error(ErrorCode::kResourceExhausted, "out of memory");
  } catch (const std::exception& exception) {
    return make_error(ErrorCode::kInternal, "{}", exception.what());
  }
}

}  // namespace

int run_cli(int argc, const char* const* argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe is an error of write(), said like any other
  struct sigaction action{};
  action.sa_handler = exit_on_interrupt;
  ::sigaction(SIGINT, &action, nullptr);

  Output out(STDOUT_FILENO, "standard output");
  Result<int> code = start_log("warn").and_then([&] {
    return run_guarded(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc), out);
  });
  const Status flushed = out.flush();
  if (code && !flushed) code = tl::unexpected<Error>(flushed.error());
  if (code) return *code;
  report_error(code.error());
  return exit_code_of(code.error().code);
}

}  // namespace hangar
