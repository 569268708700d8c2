// The hyper-parameters that only some architectures have: windows, soft caps, experts.
//
// Promise: fills those fields of a ModelConfig whose plain ones (layers, hidden, heads, rope, ...)
//   are set, from the `<architecture>.` keys and from what the architecture's name implies; keys
//   that change the answers and that ModelConfig has no words for are refused.
// Errors: kCorrupt, kUnsupported, naming the key.
// Threads: a pure function.
#pragma once

#include "base/result.h"
#include "formats/gguf/architecture_facts.h"
#include "formats/gguf/metadata.h"
#include "formats/model_config.h"

namespace hangar::gguf {

Status read_special_config(const Metadata& metadata, const ArchitectureFacts& facts,
                           ModelConfig& config);

}  // namespace hangar::gguf
