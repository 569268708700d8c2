// Conversation: the messages so far, and how they become a request that fits the context.
//
// Promise: request_context() gives what a chat template gets. The system message stays whatever is
//   forgotten. forget_oldest() drops the oldest question with its answer.
// Errors: none.
// Threads: a value.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <string>
#include <utility>

namespace hangar {

class Conversation {
 public:
  void set_system(std::string text) { system_ = std::move(text); }
  const std::string& system() const { return system_; }
  void reset() { turns_.clear(); }
  void add_question(std::string_view text) { add("user", text); }
  void add_answer(std::string_view text) { add("assistant", text); }
  // Takes back the last question: it got no answer.
  void drop_last();
  // False where only the last question is left.
  bool forget_oldest();
  std::size_t messages() const { return turns_.size(); }
  boost::json::object request_context() const;

 private:
  void add(std::string_view role, std::string_view text);

  std::string system_;
  boost::json::array turns_;
};

// A line that begins with '/': "/system Be brief." is {"system", "Be brief."}.
struct ChatCommand {
  std::string name;
  std::string argument;
};
// False for a message to the model; "//text" is the message "/text".
bool parse_chat_command(std::string& line, ChatCommand& command);

}  // namespace hangar
