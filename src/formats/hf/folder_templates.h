// A folder's chat templates.
//
// Promise: the default one first, then the named ones: chat_template.jinja, else
//   tokenizer_config.json's chat_template (a text, or a list of named texts), else
//   chat_template.json; and additional_chat_templates/NAME.jinja. A file wins over an entry of
//   tokenizer_config.json with the same name, as in transformers.
// Errors: kCorrupt, with the file and the key.
// Threads: a pure function.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "formats/checkpoint.h"
#include "formats/hf/folder_files.h"

namespace hangar::hf {

Result<std::vector<ChatTemplateSource>> read_chat_templates(const FolderFiles& folder);

}  // namespace hangar::hf
