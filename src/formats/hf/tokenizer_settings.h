// What tokenizer_config.json and special_tokens_map.json say of a tokenizer.
//
// Promise: the first of the two files that names a token is right, as in transformers. Settings
//   that do not change ids are left alone (templates are read elsewhere).
// Errors: kCorrupt with the file's name and the place.
// Threads: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/tokenizer_spec.h"

namespace hangar::hf {

struct TokenizerSettings {
  std::optional<std::string> bos, eos, padding;  // texts
  std::optional<bool> add_bos, add_eos;
  std::vector<AddedToken> added;  // added_tokens_decoder, by id
};

// "" for a file that is not there.
Result<TokenizerSettings> read_tokenizer_settings(std::string_view config_json,
                                                  std::string_view special_tokens_map_json);

}  // namespace hangar::hf
