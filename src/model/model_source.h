// ModelSource: what a model is made from.
//
// Promise: a bundle of references for the makers in model/arch; `config` is what the checkpoint
//   says. Checkpoint and backend outlive the model.
// Threads: a value.
#pragma once

#include "model/model.h"

namespace hangar {

struct ModelSource {
  const Checkpoint& checkpoint;
  const ModelConfig& config;
  Backend& backend;
  const ModelLimits& limits;
};

}  // namespace hangar
