// Mistral 7B and its kin: Llama, in which a token sees a window of the last tokens only (v0.1), or
// all of them (later). The window is the config's; no projection has a bias.
// Source: Jiang et al., "Mistral 7B" (2023).
#include <utility>

#include "model/arch/list.h"
#include "model/decoder.h"

namespace hangar {

Result<std::unique_ptr<Model>> make_mistral(const ModelSource& source) {
  ModelConfig mistral = source.config;
  mistral.attention_bias = false;
  mistral.mlp_bias = false;
  return make_decoder(source, std::move(mistral), LayerOptions{});
}

}  // namespace hangar
