// Gemma (1): Llama with embeddings times sqrt(hidden), GELU for a gate and a head size of its own.
// (Hugging Face stores norm weights less 1; formats/hf adds it.)
// Source: "Gemma: open models based on Gemini research and technology" (2024).
#include <cmath>
#include <utility>

#include "model/arch/list.h"
#include "model/decoder.h"

namespace hangar {

Result<std::unique_ptr<Model>> make_gemma(const ModelSource& source) {
  ModelConfig gemma = source.config;
  gemma.embedding_scale = std::sqrt(static_cast<float>(source.config.hidden));
  return make_decoder(source, std::move(gemma), LayerOptions{});
}

}  // namespace hangar
