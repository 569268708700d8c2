// ByteLevelBpe: byte-pair encoding over bytes, as GPT-2 and those that follow it have it.
//
// Promise: as TokenModel, but a piece is any bytes, as they stand in the text, and not in the
//   vocabulary's visible spelling: nothing is spelled out but for pieces not met before. A byte
//   that has no token gives none.
// Source: Radford et al., "Language models are unsupervised multitask learners" (2019),
//   section 2.2.
// Errors: kCorrupt, as make_bpe_model.
// Threads: as TokenModel.
#pragma once

#include <memory>

#include "text/token_model.h"

namespace hangar {

// `vocabulary` outlives the model.
Result<std::unique_ptr<const TokenModel>> make_byte_level_bpe(const Vocabulary& vocabulary);

}  // namespace hangar
