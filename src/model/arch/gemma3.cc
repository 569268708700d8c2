// Gemma 3, its text half: Gemma 2 with an RMS norm over each head of q and k instead of the soft
// cap on scores, five layers with a window for each without, and a rotary table of their own for
// those with one (ModelConfig::sliding_rope). Source: "Gemma 3 technical report" (2025).
#include <cmath>
#include <utility>

#include "model/arch/list.h"
#include "model/decoder.h"

namespace hangar {

Result<std::unique_ptr<Model>> make_gemma3(const ModelSource& source) {
  ModelConfig gemma = source.config;
  gemma.embedding_scale = std::sqrt(static_cast<float>(source.config.hidden));
  LayerOptions options;
  options.qk_norm = true;
  options.post_norms = true;
  return make_decoder(source, std::move(gemma), options);
}

}  // namespace hangar
