// A GGUF file's hyper-parameters as a ModelConfig.
//
// Promise: numbers are read from the `<architecture>.` keys, held to sane bounds and to the shapes
//   of the embedding table, the head and the rotary factors; what converters leave to the
//   architecture's name comes from architecture_facts.h. Whether an architecture can be run is for
//   model/ to say; here only what ModelConfig has no words for is refused (unknown RoPE scalings,
//   shared experts, ...).
// Errors: kCorrupt (a key missing, out of bounds, or in contradiction), kUnsupported.
// Threads: a pure function.
#pragma once

#include <string_view>
#include <unordered_map>

#include "base/result.h"
#include "formats/gguf/metadata.h"
#include "formats/model_config.h"
#include "tensor/tensor_view.h"

namespace hangar::gguf {

using TensorIndex = std::unordered_map<std::string_view, const TensorView*>;

Result<ModelConfig> read_config(const Metadata& metadata, const TensorIndex& tensors);

}  // namespace hangar::gguf
