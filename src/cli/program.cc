#include "cli/program.h"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <memory>
#include <utility>

#include "base/nearest.h"
#include "base/version.h"
#include "cli/command.h"
#include "cli/report.h"

namespace hangar {
namespace {

constexpr const char* kFooter =
    "Examples:\n"
    "  hangar serve                         # then: curl http://127.0.0.1:8000/v1/models\n"
    "  hangar chat\n"
    "  hangar generate \"Once upon a time\"\n"
    "  hangar COMMAND --help                # what a command takes, with examples\n"
    "\n"
    "Exit codes:\n"
    "  0 done   2 wrong arguments   3 not found   4 not supported   5 damaged file\n"
    "  6 input or output failed   7 out of memory, disk or quota   8 not available   9 cancelled\n"
    "  10 out of time   70 a fault in hangar   128 + N ended by signal N (130: Ctrl-C)";

struct Program {
  CLI::App app{"hangar: run and serve your own language models", "hangar"};
  std::vector<std::pair<CLI::App*, std::unique_ptr<Command>>> commands;
};

// Unknown words are left for check_leftovers, which can say what was meant.
void set_habits(CLI::App& app) {
  app.allow_extras();
  app.require_subcommand(0, 1);
  app.get_formatter()->column_width(32);
  app.set_help_flag("-h,--help", "This help");
  for (CLI::App* child : app.get_subcommands([](CLI::App*) { return true; })) set_habits(*child);
}

void build(Program& program) {
  for (const CommandEntry& entry : command_list()) {
    CLI::App* app = program.app.add_subcommand(std::string(entry.name), std::string(entry.summary));
    program.commands.emplace_back(app, entry.make());
    program.commands.back().second->add_options(*app);
  }
  program.app.set_version_flag("--version", fmt::format("hangar {}", kVersion));
  program.app.footer(kFooter);
  set_habits(program.app);
}

const CLI::App& innermost(const CLI::App& app) {
  const CLI::App* inner = &app;
  for (auto chosen = app.get_subcommands(); !chosen.empty(); chosen = inner->get_subcommands()) {
    inner = chosen.front();
  }
  return *inner;
}

// "hangar models inspect"
std::string path_of(const CLI::App& app) {
  const CLI::App* parent = app.get_parent();
  return parent == nullptr ? app.get_name() : path_of(*parent) + " " + app.get_name();
}

std::vector<std::string> names_of_commands(const CLI::App& app) {
  std::vector<std::string> names;
  const std::function<bool(const CLI::App*)> all;
  for (const CLI::App* child : app.get_subcommands(all)) names.push_back(child->get_name());
  return names;
}

std::vector<std::string> names_of_options(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

Error usage_error(const CLI::App& app, std::string message) {
  return with_hint({ErrorCode::kInvalidArgument, std::move(message)},
                   fmt::format("`{} --help` shows what it takes", path_of(app)));
}

Error unknown_word(const CLI::App& app, const std::string& word) {
  const bool option = word.starts_with('-');
  const std::string name = word.substr(0, option ? word.find('=') : word.size());
  const std::vector<std::string> commands = names_of_commands(app);
  const bool command = !option && !commands.empty();
  const auto near = nearest_name(name, option ? names_of_options(app) : commands);
  std::string message = fmt::format("{}: {} '{}'", path_of(app),
                                    option    ? "unknown option"
                                    : command ? "unknown command"
                                              : "unexpected argument",
                                    name);
  if (!near) return usage_error(app, std::move(message));
  return with_hint({ErrorCode::kInvalidArgument, std::move(message)},
                   fmt::format("did you mean '{}'?", *near));
}

Status check_leftovers(const CLI::App& app) {
  for (const CLI::App* one = &app; one != nullptr; one = one->get_parent()) {
    for (const std::string& word : one->remaining()) {
      if (word != "--") return tl::unexpected<Error>(unknown_word(*one, word));
    }
  }
  return {};
}

}  // namespace

Result<int> run_program(const std::vector<std::string>& arguments, Output& out) {
  Program program;
  build(program);
  if (arguments.empty()) {
    report_note(program.app.help());
    return exit_code_of(ErrorCode::kInvalidArgument);
  }
  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    program.app.parse(std::move(reversed));
  } catch (const CLI::CallForHelp&) {
    HANGAR_CHECK_OK(out.write(program.app.help()));
    return 0;
  } catch (const CLI::CallForVersion&) {
    HANGAR_CHECK_OK(out.write(program.app.version() + "\n"));
    return 0;
  } catch (const CLI::ParseError& error) {
    // A misspelt word often makes a required one seem missing: that is said first.
    HANGAR_CHECK_OK(check_leftovers(innermost(program.app)));
    return tl::unexpected<Error>(usage_error(innermost(program.app), error.what()));
  }
  HANGAR_CHECK_OK(check_leftovers(innermost(program.app)));
  for (const auto& [app, command] : program.commands) {
    if (app->parsed()) return command->run({program.app, out});
  }
  return tl::unexpected<Error>(usage_error(program.app, "which command?"));
}

}  // namespace hangar
