// The rotary embedding's part of config.json.
//
// Promise: read_rope fills model.rope (and sliding_rope, for Gemma 3) from either spelling:
//   rope_theta and rope_scaling beside it, or transformers 5's rope_parameters, flat or one entry a
//   kind of layer. The frequencies that follow are those transformers computes.
//   Hugging Face's q and k are not interleaved.
// Errors: kCorrupt; kUnsupported: a kind of scaling, or a key of it, that RopeConfig has no words
//   for, by its name.
// Threads: a pure function.
#pragma once

#include "base/result.h"
#include "formats/hf/fields.h"
#include "formats/hf/model_types.h"

namespace hangar::hf {

// head_dim and context_tokens are filled before; YaRN may raise context_tokens to what it was
// stretched to.
Status read_rope(const Fields& fields, const ModelType& type, ModelConfig& model);

}  // namespace hangar::hf
