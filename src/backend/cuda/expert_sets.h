// ExpertSets: the experts of a model's layers, as mix_experts() takes them.
//
// Promise: join() makes a layer's table, and room for a step of kRows rows, one for all layers;
//   nullptr where the products of a mixture do not take such weights (mixes()): of several
//   forms, of other sizes.
// Errors: join: kResourceExhausted where `take` has no more; CudaError.
// Threads: one (the step thread).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "backend/backend.h"
#include "backend/cuda/device.h"
#include "backend/cuda/mixture.h"
#include "backend/cuda/weights.h"
#include "base/result.h"

namespace hangar::cuda {

struct CudaExpertSet final : ExpertSet {
  Mixture mixture;
};

class ExpertSets {
 public:
  static constexpr std::int64_t kRows = 1024;  // of a step

  ExpertSets(Device& device, TakeMemory take, DType work_type)
      : device_(device), take_(std::move(take)), work_type_(work_type) {}

  Result<std::unique_ptr<const ExpertSet>> join(std::span<const ExpertWeights> experts,
                                                std::int32_t used);
  void* room() const { return room_; }

 private:
  Device& device_;
  TakeMemory take_;
  DType work_type_;
  void* room_ = nullptr;
  std::size_t room_bytes_ = 0;
};

}  // namespace hangar::cuda
