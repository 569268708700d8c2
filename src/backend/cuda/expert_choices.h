// ExpertChoices: a step's choices of experts, brought to the host.
//
// Promise: choose() is Backend::top_experts: on the card (experts.h), then waited for.
// Memory: kBytes of the card's, taken once.
// Errors: constructor, choose(): CudaError; choose(): std::length_error for more than fit.
// Threads: the step thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "backend/cuda/device.h"
#include "tensor/activation.h"

namespace hangar::cuda {

class ExpertChoices {
 public:
  explicit ExpertChoices(Device& device);
  void choose(const Launch& launch, Activation scores, std::int32_t k, bool normalize,
              std::span<std::int32_t> ids, std::span<float> weights);

 private:
  static constexpr std::size_t kBytes = std::size_t{8} << 20U;  // half of it indices
  Device& device_;
  std::byte* memory_;
};

}  // namespace hangar::cuda
