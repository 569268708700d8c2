#include "cli/completion_script.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <string_view>
#include <vector>

namespace hangar {
namespace {

struct OptionView {
  std::vector<std::string> names;  // "--port", "-p"
  std::string value;               // "" for a flag
  std::string help;
};

struct CommandView {
  std::string path;  // "", "serve", "models inspect"
  std::string help;
  std::vector<OptionView> options;
  std::string positional;  // its value's type; "" where there is none
  std::vector<std::pair<std::string, std::string>> children;  // name, help
};

void collect(const CLI::App& app, const std::string& path, std::vector<CommandView>& out) {
  CommandView view;
  view.path = path;
  view.help = app.get_description();
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional()) {
      view.positional = option->get_type_name();
      continue;
    }
    OptionView one;
    for (const std::string& name : option->get_lnames()) one.names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) one.names.push_back("-" + name);
    if (option->get_items_expected_max() > 0) one.value = option->get_type_name();
    one.help = option->get_description();
    view.options.push_back(std::move(one));
  }
  const std::function<bool(const CLI::App*)> all;
  const std::vector<const CLI::App*> children = app.get_subcommands(all);
  for (const CLI::App* child : children) {
    view.children.emplace_back(child->get_name(), child->get_description());
  }
  out.push_back(std::move(view));
  for (const CLI::App* child : children) {
    collect(*child, path.empty() ? child->get_name() : path + " " + child->get_name(), out);
  }
}

std::vector<CommandView> commands_of(const CLI::App& root) {
  std::vector<CommandView> out;
  collect(root, "", out);
  return out;
}

std::string spaced(std::string_view choices) {
  std::string out(choices);
  std::replace(out.begin(), out.end(), '|', ' ');
  return out;
}

// What bash runs to offer values of a type.
std::string bash_values(std::string_view type) {
  if (type == "FILE") return "compopt -o filenames; COMPREPLY=($(compgen -f -- \"$current\"))";
  if (type == "DIR") return "compopt -o filenames; COMPREPLY=($(compgen -d -- \"$current\"))";
  if (type == "MODEL") {
    return "COMPREPLY=($(compgen -W \"$(\"${COMP_WORDS[0]}\" models --names 2>/dev/null)\" -f -- "
           "\"$current\"))";
  }
  if (type.find('|') != std::string_view::npos) {
    return fmt::format("COMPREPLY=($(compgen -W \"{}\" -- \"$current\"))", spaced(type));
  }
  return "COMPREPLY=()";
}

std::string bash_pattern(const CommandView& command, const OptionView& option) {
  std::string pattern;
  for (const std::string& name : option.names) {
    pattern += fmt::format("{}\"{} {}\"", pattern.empty() ? "" : "|", command.path, name);
  }
  return pattern;
}

// Text inside zsh's '...[...]' and 'name:...': quotes, brackets and colons have a meaning there.
std::string zsh_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
      out += c;
    }
  }
  return out;
}

std::string zsh_values(std::string_view type) {
  if (type == "FILE") return "_files";
  if (type == "DIR") return "_files -/";
  if (type == "MODEL") return "_hangar_models_here";
  if (type.find('|') != std::string_view::npos) return "(" + spaced(type) + ")";
  return "";
}

std::string zsh_function(std::string_view path) {
  std::string name = "_hangar";
  if (!path.empty()) name += "_" + std::string(path);
  std::replace(name.begin(), name.end(), ' ', '_');
  return name + "_words";
}

std::string zsh_body(const CommandView& command) {
  std::string out = zsh_function(command.path) + "() {\n";
  if (!command.children.empty()) {
    out += "  local -a names=(\n";
    for (const auto& [name, help] : command.children) {
      out += fmt::format("    '{}:{}'\n", zsh_escaped(name), zsh_escaped(help));
    }
    out += "  )\n  if (( CURRENT > 2 )); then\n    case $words[2] in\n";
    for (const auto& [name, help] : command.children) {
      const std::string path = command.path.empty() ? name : command.path + " " + name;
      out += fmt::format("      {}) shift words; (( CURRENT-- )); {}; return ;;\n", name,
                         zsh_function(path));
    }
    out += "    esac\n  fi\n  (( CURRENT == 2 )) && _describe command names\n";
  }
  out += "  _arguments";
  for (const OptionView& option : command.options) {
    for (const std::string& name : option.names) {
      out += fmt::format(" \\\n    '{}[{}]", name, zsh_escaped(option.help));
      if (!option.value.empty()) {
        out += fmt::format(
            ":{}:{}",
            zsh_escaped(option.value.find('|') == std::string::npos ? option.value
                                                                    : std::string("value")),
            zsh_values(option.value));
      }
      out += '\'';
    }
  }
  if (!command.positional.empty()) {
    out += fmt::format(
        " \\\n    '1:{}:{}'",
        command.positional.find('|') == std::string::npos ? command.positional : "value",
        zsh_values(command.positional));
  }
  return out + "\n}\n";
}

}  // namespace

std::string bash_completion(const CLI::App& root) {
  const std::vector<CommandView> commands = commands_of(root);
  std::string paths;
  std::string values;
  std::string words;
  for (const CommandView& command : commands) {
    for (const auto& [name, help] : command.children) {
      paths += fmt::format("{}\"{} {}\"", paths.empty() ? "" : "|", command.path, name);
    }
    std::string offered;
    for (const auto& [name, help] : command.children) offered += name + " ";
    for (const OptionView& option : command.options) {
      offered += fmt::format("{} ", fmt::join(option.names, " "));
      if (option.value.empty()) continue;
      values += fmt::format("    {}) {}; return ;;\n", bash_pattern(command, option),
                            bash_values(option.value));
    }
    words += fmt::format("    \"{}\")\n", command.path);
    if (!command.positional.empty()) {
      words += fmt::format("      if [[ $current != -* ]]; then {}; return; fi\n",
                           bash_values(command.positional));
    }
    words += fmt::format("      COMPREPLY=($(compgen -W \"{}\" -- \"$current\")) ;;\n", offered);
  }
  return fmt::format(
      "# Completion for hangar, made by `hangar completion bash`; use it by\n"
      "#   source <(hangar completion bash)\n"
      "_hangar() {{\n"
      "  local current=\"${{COMP_WORDS[COMP_CWORD]}}\" previous=\"${{COMP_WORDS[COMP_CWORD-1]}}\"\n"
      "  local path=\"\" i\n"
      "  for ((i = 1; i < COMP_CWORD; ++i)); do\n"
      "    case \"$path ${{COMP_WORDS[i]}}\" in\n"
      "      {}) path=\"${{path:+$path }}${{COMP_WORDS[i]}}\" ;;\n"
      "    esac\n"
      "  done\n"
      "  case \"$path $previous\" in\n"
      "{}"
      "  esac\n"
      "  case \"$path\" in\n"
      "{}"
      "  esac\n"
      "}}\n"
      "complete -F _hangar hangar\n",
      paths, values, words);
}

std::string zsh_completion(const CLI::App& root) {
  std::string out =
      "#compdef hangar\n"
      "# Completion for hangar, made by `hangar completion zsh`; put it into a folder of $fpath "
      "as\n"
      "# _hangar, or use it by: source <(hangar completion zsh)\n"
      "_hangar_models_here() {\n"
      "  local -a names=(${(f)\"$(hangar models --names 2>/dev/null)\"})\n"
      "  _describe model names\n"
      "  _files\n"
      "}\n";
  for (const CommandView& command : commands_of(root)) out += zsh_body(command);
  return out +
         "_hangar() { _hangar_words \"$@\" }\n"
         "if [[ $funcstack[1] == _hangar ]]; then _hangar \"$@\"; else compdef _hangar hangar; "
         "fi\n";
}

}  // namespace hangar
