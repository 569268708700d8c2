// Added tokens get their places among a tokenizer.json's tokens.
//
// Promise: after place_added_tokens spec.added holds the file's added tokens and those of the
//   settings that the file lacks, spec.tokens has each one's text at its id, and no two tokens
//   share an id or an added text.
// Errors: kCorrupt: an id that is not the one that Hugging Face's tokenizers would give (it numbers
//   them itself, so the file contradicts itself), the same token twice.
// Threads: pure functions.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "text/token_index.h"
#include "text/tokenizer_spec.h"

namespace hangar::hf {

using AddedByText = std::unordered_map<std::string_view, TokenId>;  // views on spec.added
using TokenFinderByText = std::function<std::optional<TokenId>(std::string_view)>;

// `index` is of spec.tokens and knows the model's tokens alone, `token_count` of which have a text.
Result<AddedByText> place_added_tokens(const TokenIndex& index, std::size_t token_count,
                                       const std::vector<AddedToken>& from_settings,
                                       TokenizerSpec& spec);

}  // namespace hangar::hf
