// ArchitectureFacts: what GGUF files leave to the architecture's name.
//
// Promise: facts_of(name) has what converters do not write down for the architectures that model/
//   can run: how rotated pairs lie, the gate's function, which layers have a window or are not
//   rotated. nullptr for all others.
// Source: the GGUF format as llama.cpp writes and reads it.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string_view>

#include "tensor/gate_function.h"

namespace hangar::gguf {

struct ArchitectureFacts {
  std::string_view name;
  // The converter permutes the rows of Q and K so that rotated pairs lie side by side.
  bool interleaved = false;
  GateFunction gate = GateFunction::kSilu;
  // Every so-manyth layer has no window where the others have one; 0: all layers have it.
  std::int32_t full_attention_every = 0;
  // Every so-manyth layer is not rotated; 0: all are.
  std::int32_t unrotated_every = 0;
  // Layers with a window have a rotary table of their own, of this base, unscaled; 0: the same one.
  float sliding_rope_base = 0.0F;
  // The one size of the family (by its layers; 0: none) whose scores are scaled by 1 / sqrt(hidden
  // / heads) although its heads have another size.
  std::int32_t hidden_scaled_layers = 0;
};

const ArchitectureFacts* facts_of(std::string_view architecture);

}  // namespace hangar::gguf
