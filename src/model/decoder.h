// Decoder: what all the architectures in model/arch share: embedding, layers of attention and MLP
// with residuals, a last norm and a head.
//
// Promise: make_decoder builds the Model that `config` and `options` describe. Every field of
//   ModelConfig is honoured or refused. An architecture's file says only what differs.
// Errors: kCorrupt and kUnsupported, with the tensor's or the field's name.
// Threads: as Model.
#pragma once

#include <memory>

#include "model/layers/layer_options.h"
#include "model/model_source.h"

namespace hangar {

// `config`: the source's, with what the architecture changes in it.
Result<std::unique_ptr<Model>> make_decoder(const ModelSource& source, ModelConfig config,
                                            const LayerOptions& options);

}  // namespace hangar
