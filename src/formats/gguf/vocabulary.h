// A GGUF file's tokenizer and chat templates, as text/ takes them.
//
// Promise: read_tokenizer fills a TokenizerSpec whose ids all lie inside the vocabulary; its
//   end_of_generation holds the file's end of turn and end of message, and text/ adds what it knows
//   by the tokens' names.
// Errors: kCorrupt (key, what was found), kUnsupported (a tokenizer model or a pre-tokenizer that
// is
//   not known, by name; 4 GiB of texts).
// Threads: pure functions.
#pragma once

#include <vector>

#include "base/result.h"
#include "formats/checkpoint.h"
#include "formats/gguf/metadata.h"
#include "text/tokenizer_spec.h"

namespace hangar::gguf {

Result<TokenizerSpec> read_tokenizer(const Metadata& metadata);
// The default template first, then the named ones in file order.
Result<std::vector<ChatTemplateSource>> read_chat_templates(const Metadata& metadata);

}  // namespace hangar::gguf
