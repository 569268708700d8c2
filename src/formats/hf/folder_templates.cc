#include "formats/hf/folder_templates.h"

#include <algorithm>
#include <optional>
#include <string>

#include "formats/hf/fields.h"
#include "formats/hf/strict_json.h"

namespace hangar::hf {
namespace {

constexpr std::size_t kMaxTemplateBytes = 4U << 20U;
constexpr std::size_t kMaxConfigBytes = 64U << 20U;
constexpr std::string_view kDefault = "default";
constexpr std::string_view kFolder = "additional_chat_templates";
constexpr std::string_view kEnding = ".jinja";

using Templates = std::vector<ChatTemplateSource>;

// The first of a name stays.
void add(Templates& templates, std::string_view name, std::string_view text) {
  const auto same = [&](const ChatTemplateSource& source) { return source.name == name; };
  if (std::none_of(templates.begin(), templates.end(), same)) {
    templates.push_back({std::string(name), std::string(text)});
  }
}

// The key chat_template of a JSON file.
Status add_from_json(const FolderFiles& folder, std::string_view file, Templates& templates) {
  HANGAR_TRY(const std::optional<std::string> text, folder.read_optional(file, kMaxConfigBytes));
  if (!text) return {};
  HANGAR_TRY(const boost::json::object object, parse_object(*text, folder.path_of(file).string()));
  const Fields fields(object, folder.path_of(file).string());
  const boost::json::value* value = fields.find("chat_template");
  if (value == nullptr) return {};
  if (value->is_string()) {
    add(templates, kDefault, value->get_string());
    return {};
  }
  constexpr std::string_view kExpected = "a text, or a list of objects with 'name' and 'template'";
  if (!value->is_array()) return fields.wrong("chat_template", kExpected);
  for (const boost::json::value& item : value->get_array()) {
    const boost::json::object* entry = item.if_object();
    const boost::json::value* name = entry == nullptr ? nullptr : entry->if_contains("name");
    const boost::json::value* body = entry == nullptr ? nullptr : entry->if_contains("template");
    if (name == nullptr || body == nullptr || !name->is_string() || !body->is_string()) {
      return fields.wrong("chat_template", kExpected);
    }
    add(templates, name->get_string(), body->get_string());
  }
  return {};
}

}  // namespace

Result<Templates> read_chat_templates(const FolderFiles& folder) {
  Templates templates;
  HANGAR_TRY(const std::optional<std::string> main,
             folder.read_optional("chat_template.jinja", kMaxTemplateBytes));
  if (main) add(templates, kDefault, *main);
  for (const std::string& file : folder.names_in(kFolder, kEnding)) {
    HANGAR_TRY(const std::optional<std::string> text,
               folder.read_optional(fmt::format("{}/{}", kFolder, file), kMaxTemplateBytes));
    if (text) add(templates, file.substr(0, file.size() - kEnding.size()), *text);
  }
  HANGAR_CHECK_OK(add_from_json(folder, "tokenizer_config.json", templates));
  HANGAR_CHECK_OK(add_from_json(folder, "chat_template.json", templates));
  const auto main_one =
      std::find_if(templates.begin(), templates.end(),
                   [](const ChatTemplateSource& source) { return source.name == kDefault; });
  if (main_one != templates.end()) std::rotate(templates.begin(), main_one, main_one + 1);
  return templates;
}

}  // namespace hangar::hf
