// Llama 1 to 3.3, SmolLM2 and what else is shaped so: RMS norms, rotary, grouped-query attention,
// a SiLU-gated MLP, a tied or untied head. All other files here say how theirs differ from this.
// GGUF stores Mistral and Mixtral under this name too: a window is honoured wherever the config has
// one, experts are Mixtral's.
#include "model/arch/list.h"
#include "model/decoder.h"

namespace hangar {

Result<std::unique_ptr<Model>> make_llama(const ModelSource& source) {
  if (source.config.experts > 0) return make_mixtral(source);
  return make_decoder(source, source.config, LayerOptions{});
}

}  // namespace hangar
