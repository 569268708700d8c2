// Mixtral 8x7B and 8x22B: Mistral with a mixture of experts in place of every MLP; the weights of
// the experts that a token goes through sum to 1 (the config's default).
// Source: Jiang et al., "Mixtral of experts" (2024).
#include <utility>

#include "model/arch/list.h"
#include "model/decoder.h"

namespace hangar {

Result<std::unique_ptr<Model>> make_mixtral(const ModelSource& source) {
  ModelConfig mixtral = source.config;
  // The experts are what the config calls the feed-forward.
  if (mixtral.expert_feed_forward == 0) mixtral.expert_feed_forward = mixtral.feed_forward;
  LayerOptions options;
  options.experts = true;
  return make_decoder(source, std::move(mixtral), options);
}

}  // namespace hangar
