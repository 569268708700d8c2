// RopeTables: a model's rotary tables on the card.
//
// Promise: of() gives a table's angles; the first time it brings them there and waits for that.
// Errors: CudaError.
// Threads: as Backend.
#pragma once

#include <utility>
#include <vector>

#include "backend/backend.h"
#include "backend/cuda/device.h"
#include "backend/cuda/model_weights.h"
#include "backend/cuda/rope.h"

namespace hangar::cuda {

class RopeTables {
 public:
  // In the memory of the weights, on their device's stream; both outlive this.
  RopeTables(Device& device, ModelWeights& weights) : device_(device), weights_(weights) {}

  const RopeAngles& of(const RopeTable& table);

 private:
  Device& device_;
  ModelWeights& weights_;
  std::vector<std::pair<RopeTable, RopeAngles>> angles_;  // a model has one or two
};

}  // namespace hangar::cuda
