// LayerStacks: a model's layers as the kernel of stack.h takes them.
//
// Promise: join() gives a stack where there is a kernel for these layers on this card: nullptr
//   where they are of other sizes or forms, differ, attend through a window or with a soft cap, or
//   where stacks are not wanted. run() computes a step of one row, with keys and values of 16 bits,
//   if it is not to be deterministic (a row among others goes another way): false where it is
//   another.
// Errors: join: kResourceExhausted where `take` has no more; CudaError.
// Threads: one (the step thread).
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "backend/backend.h"
#include "backend/cuda/device.h"
#include "backend/cuda/device_batch.h"
#include "backend/cuda/kv_cache.h"
#include "backend/cuda/rope_tables.h"
#include "backend/cuda/stack.h"
#include "backend/cuda/weights.h"
#include "base/result.h"

namespace hangar::cuda {

class LayerStacks {
 public:
  LayerStacks(Device& device, TakeMemory take, RopeTables& ropes, bool wanted)
      : device_(device), take_(std::move(take)), ropes_(ropes), wanted_(wanted) {}

  Result<std::unique_ptr<const LayerStack>> join(std::span<const StackedLayer> layers);
  bool run(const Launch& launch, Activation x, const LayerStack& stack, const CudaKvCache& cache,
           const RaggedBatch& batch, const DeviceBatch& there);

 private:
  Device& device_;
  TakeMemory take_;
  RopeTables& ropes_;
  bool wanted_;
};

}  // namespace hangar::cuda
