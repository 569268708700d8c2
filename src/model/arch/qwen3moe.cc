// Qwen3-MoE: Qwen3 with a mixture of experts in place of most or all MLPs. Whether the chosen
// experts' weights sum to 1 is the config's.
// Source: Yang et al., "Qwen3 technical report" (2025).
#include "model/arch/list.h"
#include "model/decoder.h"

namespace hangar {

Result<std::unique_ptr<Model>> make_qwen3moe(const ModelSource& source) {
  LayerOptions options;
  options.qk_norm = true;
  options.experts = true;
  return make_decoder(source, source.config, options);
}

}  // namespace hangar
