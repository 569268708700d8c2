// Gemma 2: embeddings times sqrt(hidden), norms before and after attention and MLP, GELU for a
// gate, soft caps on scores and logits, a window in every second layer; the scale of scores is the
// config's. (Hugging Face stores norm weights less 1; formats/hf adds it.)
// Source: "Gemma 2: improving open language models at a practical size" (2024).
#include <cmath>
#include <utility>

#include "model/arch/list.h"
#include "model/decoder.h"

namespace hangar {

Result<std::unique_ptr<Model>> make_gemma2(const ModelSource& source) {
  ModelConfig gemma = source.config;
  gemma.embedding_scale = std::sqrt(static_cast<float>(source.config.hidden));
  LayerOptions options;
  options.post_norms = true;
  return make_decoder(source, std::move(gemma), options);
}

}  // namespace hangar
