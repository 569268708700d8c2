// A folder's tokenizer, from whichever files hold it.
//
// Promise: tokenizer.json, with tokenizer_config.json and special_tokens_map.json beside it; else
//   vocab.json and merges.txt, where tokenizer_config.json names a class whose stages are known
//   (GPT-2's and Qwen2's).
// Errors: kNotFound (no tokenizer), kUnsupported (tokenizer.model or another form alone: how to
//   make a tokenizer.json), kCorrupt.
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "formats/hf/folder_files.h"
#include "text/tokenizer_spec.h"

namespace hangar::hf {

// Some form of a tokenizer is there, whether or not it can be read.
bool has_tokenizer(const FolderFiles& folder);
Result<TokenizerSpec> read_folder_tokenizer(const FolderFiles& folder);

// vocab.json and merges.txt as the tokenizer.json that transformers would make of them.
Result<std::string> tokenizer_json_of(std::string_view vocab_json, std::string_view merges_txt,
                                      std::string_view tokenizer_config_json,
                                      std::string_view folder);

}  // namespace hangar::hf
