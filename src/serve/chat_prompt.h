// From chat messages to the model's prompt ids: template, then tokenizer.
//
// Promise: the text is what the model's own template makes of the messages; the ids are those of
// the
//   text alone: no bos or eos that the template did not write.
// Errors: kUnsupported where the model has no template; kInvalidArgument with the template's words.
// Threads: any.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "serve/served_model.h"

namespace hangar {

struct ChatPrompt {
  std::string text;
  std::vector<TokenId> ids;
};

// The text alone. `context` holds "messages" and whatever else the template may see ("tools",
// custom variables); bos_token, eos_token and add_generation_prompt are filled in where they are
// missing.
Result<std::string> render_chat(const ServedModel& model, boost::json::object context);
std::vector<TokenId> encode_chat(const ServedModel& model, std::string_view text);
// Both.
Result<ChatPrompt> make_chat_prompt(const ServedModel& model, boost::json::object context);

}  // namespace hangar
