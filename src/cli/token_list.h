// Token ids as people and programs write them.
//
// Promise: parse_token_list reads "1 2 3" (white space or commas between), "[1, 2, 3]" and
//   {"ids": [1, 2, 3]}; every id is in [0, vocabulary).
// Errors: kInvalidArgument with what was found.
// Threads: pure.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/tokenizer_spec.h"

namespace hangar {

Result<std::vector<TokenId>> parse_token_list(std::string_view text, std::string_view what,
                                              std::int32_t vocabulary);

}  // namespace hangar
