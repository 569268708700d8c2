// tokenizer.json, tokenizer_config.json and special_tokens_map.json to a TokenizerSpec.
//
// Promise: every stage the file names is in the spec, or the read fails: nothing is left out
//   silently. Truncation and padding settings are not the tokenizer's and are ignored. A 128k
//   vocabulary is read in a few tens of milliseconds.
// Errors: kCorrupt (field, what was found): broken JSON, duplicate keys, ids past the vocabulary,
// cyclic
//   or clashing added tokens; kUnsupported: a stage or an expression that is not known, by its
//   name; files of 4 GiB together.
// Threads: pure functions.
#pragma once

#include <string_view>

#include "base/result.h"
#include "text/tokenizer_spec.h"

namespace hangar::hf {

struct TokenizerFiles {
  std::string_view tokenizer_json;
  std::string_view tokenizer_config_json;    // "" where there is none
  std::string_view special_tokens_map_json;  // "" where there is none
};

Result<TokenizerSpec> read_tokenizer_json(const TokenizerFiles& files);

}  // namespace hangar::hf
