// Qwen2 and Qwen2.5: Llama, whose q, k and v always have a bias and whose output never has.
// Source: Yang et al., "Qwen2 technical report" (2024).
#include <utility>

#include "model/arch/list.h"
#include "model/decoder.h"

namespace hangar {

Result<std::unique_ptr<Model>> make_qwen2(const ModelSource& source) {
  ModelConfig qwen = source.config;
  qwen.attention_bias = true;
  LayerOptions options;
  options.output_bias = false;
  return make_decoder(source, std::move(qwen), options);
}

}  // namespace hangar
