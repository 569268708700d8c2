// generation_config.json: what a model's authors recommend to sample with.
//
// Promise: the keys that Hangar samples by are in GenerationDefaults; others (beams, penalties of
//   other kinds) are not read: they are recommendations, and a request cannot ask for them either.
//   Ids past the vocabulary, which the model can never choose, are left out.
// Errors: kCorrupt, with the key.
// Threads: pure functions.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "formats/checkpoint.h"
#include "formats/hf/fields.h"

namespace hangar::hf {

Result<GenerationDefaults> read_generation_config(const Fields& fields, std::int32_t vocabulary);
// eos_token_id of config.json or generation_config.json: one id or a list of them.
Result<std::vector<TokenId>> read_end_ids(const Fields& fields, std::int32_t vocabulary);

}  // namespace hangar::hf
