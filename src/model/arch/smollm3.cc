// SmolLM3: Llama in which every fourth layer is not rotated (ModelConfig::rotated_layers).
// Source: "RoPE to NoRoPE and back again", Yang et al. (2025).
#include "model/arch/list.h"
#include "model/decoder.h"

namespace hangar {

Result<std::unique_ptr<Model>> make_smollm3(const ModelSource& source) {
  return make_decoder(source, source.config, LayerOptions{});
}

}  // namespace hangar
