// Qwen3: Llama with an RMS norm over each head of q and k, and a head size of its own.
// Source: Yang et al., "Qwen3 technical report" (2025).
#include "model/arch/list.h"
#include "model/decoder.h"

namespace hangar {

Result<std::unique_ptr<Model>> make_qwen3(const ModelSource& source) {
  LayerOptions options;
  options.qk_norm = true;
  return make_decoder(source, source.config, options);
}

}  // namespace hangar
