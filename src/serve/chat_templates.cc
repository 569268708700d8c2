#include "serve/chat_templates.h"

#include <fmt/format.h>

#include <utility>

namespace hangar {
namespace {

Status parse_into(const ChatTemplateSource& source, std::optional<ChatTemplate>& into) {
  Result<ChatTemplate> parsed = ChatTemplate::parse(source.text);
  if (!parsed) {
    return with_context(std::move(parsed.error()),
                        fmt::format("chat template \"{}\"", source.name));
  }
  into = std::move(*parsed);
  return {};
}

}  // namespace

Result<ChatTemplates> ChatTemplates::parse(std::span<const ChatTemplateSource> sources) {
  ChatTemplates templates;
  for (const ChatTemplateSource& source : sources) {
    if (source.name == "default" || sources.size() == 1) {
      HANGAR_CHECK_OK(parse_into(source, templates.usual_));
    } else if (source.name == "tool_use") {
      HANGAR_CHECK_OK(parse_into(source, templates.tool_use_));
    }
  }
  return templates;
}

const ChatTemplate* ChatTemplates::choose(bool with_tools) const {
  if (with_tools && tool_use_) return &*tool_use_;
  return usual_ ? &*usual_ : nullptr;
}

}  // namespace hangar
