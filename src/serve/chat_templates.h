// ChatTemplates: the templates of one model, and which of them a conversation gets.
//
// Promise: as transformers chooses: "tool_use" where the request has tools and the model such a
//   template, else "default", else the only one there is.
// Errors: parse: as ChatTemplate::parse, naming the template.
// Threads: const and thread-safe after parse.
#pragma once

#include <optional>
#include <span>

#include "base/result.h"
#include "formats/checkpoint.h"
#include "text/chat_template.h"

namespace hangar {

class ChatTemplates {
 public:
  ChatTemplates() = default;  // none: the model cannot chat
  static Result<ChatTemplates> parse(std::span<const ChatTemplateSource> sources);

  // nullptr: there is none.
  const ChatTemplate* choose(bool with_tools) const;

 private:
  std::optional<ChatTemplate> usual_;
  std::optional<ChatTemplate> tool_use_;
};

}  // namespace hangar
