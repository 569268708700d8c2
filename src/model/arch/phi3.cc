// Phi-3, Phi-3.5, Phi-4: Llama with q, k, v in one tensor and gate, up in another (the layers take
// them apart), part of a head rotated (RopeConfig::dim), longrope and, in some, a window.
// Source: Abdin et al., "Phi-3 technical report" (2024); Ding et al., "LongRoPE" (2024).
#include "model/arch/list.h"
#include "model/decoder.h"

namespace hangar {

Result<std::unique_ptr<Model>> make_phi3(const ModelSource& source) {
  return make_decoder(source, source.config, LayerOptions{});
}

}  // namespace hangar
