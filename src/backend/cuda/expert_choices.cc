#include "backend/cuda/expert_choices.h"

#include <stdexcept>

#include "backend/cuda/experts.h"

namespace hangar::cuda {

ExpertChoices::ExpertChoices(Device& device)
    : device_(device), memory_(static_cast<std::byte*>(device.take(kBytes))) {
  if (memory_ == nullptr) throw CudaError(cudaErrorMemoryAllocation, "taking room for choices");
}

void ExpertChoices::choose(const Launch& launch, Activation scores, std::int32_t k, bool normalize,
                           std::span<std::int32_t> ids, std::span<float> weights) {
  const std::size_t bytes = ids.size_bytes();
  if (2 * bytes > kBytes) throw std::length_error("a step chooses too many experts");
  auto* const chosen = reinterpret_cast<std::int32_t*>(memory_);
  auto* const shares = reinterpret_cast<float*>(memory_ + kBytes / 2);
  top_experts(launch, scores, k, normalize, chosen, shares);
  const auto bring = [&](void* to, const void* from) {
    HANGAR_CUDA(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, launch.stream));
  };
  bring(ids.data(), chosen);
  bring(weights.data(), shares);
  device_.synchronize();
}

}  // namespace hangar::cuda
