#include "cli/conversation.h"

namespace hangar {

void Conversation::add(std::string_view role, std::string_view text) {
  turns_.push_back(boost::json::object{{"role", role}, {"content", text}});
}

void Conversation::drop_last() {
  if (!turns_.empty()) turns_.pop_back();
}

bool Conversation::forget_oldest() {
  if (turns_.size() < 2) return false;
  // The oldest left must again be a question.
  turns_.erase(turns_.begin());
  while (turns_.size() > 1 && turns_.front().at("role") != "user") turns_.erase(turns_.begin());
  return true;
}

boost::json::object Conversation::request_context() const {
  boost::json::array messages;
  if (!system_.empty()) {
    messages.push_back(boost::json::object{{"role", "system"}, {"content", system_}});
  }
  for (const auto& turn : turns_) messages.push_back(turn);
  return {{"messages", std::move(messages)}, {"add_generation_prompt", true}};
}

bool parse_chat_command(std::string& line, ChatCommand& command) {
  if (!line.starts_with('/')) return false;
  if (line.starts_with("//")) {
    line.erase(0, 1);
    return false;
  }
  const std::size_t space = line.find_first_of(" \t");
  command.name = line.substr(1, space == std::string::npos ? space : space - 1);
  command.argument.clear();
  const std::size_t begin = line.find_first_not_of(" \t", space);
  if (space != std::string::npos && begin != std::string::npos) {
    command.argument = line.substr(begin, line.find_last_not_of(" \t") + 1 - begin);
  }
  return true;
}

}  // namespace hangar
