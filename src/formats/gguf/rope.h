// The rotary embedding's part of a GGUF file's hyper-parameters.
//
// Promise: as read_config. `head_dim` and `context_tokens` give the defaults that the format
//   defines; whether pairs are interleaved is the architecture's (architecture_facts.h).
// Errors: kCorrupt, kUnsupported (a scaling that RopeConfig has no words for, by its
// name). Threads: a pure function.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "formats/gguf/config.h"

namespace hangar::gguf {

Result<RopeConfig> read_rope(const Metadata& metadata, const TensorIndex& tensors,
                             std::string_view architecture, std::int32_t head_dim,
                             std::int32_t context_tokens);

}  // namespace hangar::gguf
