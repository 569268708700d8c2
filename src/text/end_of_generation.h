// End of generation: the tokens after which a model has nothing more to say.
//
// Promise: end_of_generation_ids(spec) is the file's eos and end_of_generation, and every special
//   token whose text is on the list of turn ends in the .cc file (files often name only one of
//   them, and models end with another), ascending and without duplicates.
// Threads: pure functions.
#pragma once

#include <string_view>
#include <vector>

#include "text/tokenizer_spec.h"

namespace hangar {

bool is_turn_end(std::string_view token_text);
std::vector<TokenId> end_of_generation_ids(const TokenizerSpec& spec);

}  // namespace hangar
