// this_card(): the current device.
#include <stdexcept>
#include <string>

#include "backend/cuda/launch.h"
#include "base/cards.h"
#include "card_bounds.h"

namespace hangar::cuda::bench {

Card this_card() {
  const auto cards = list_cards();
  int device = 0;
  if (const cudaError_t code = cudaGetDevice(&device); code != cudaSuccess) {
    // NVML's reason says more than CUDA's.
    const std::string why = cards ? cards->problem : cards.error().message;
    if (!why.empty()) throw std::runtime_error(why);
    throw CudaError(code, "cudaGetDevice");
  }
  cudaDeviceProp properties{};
  HANGAR_CUDA(cudaGetDeviceProperties(&properties, device));
  Card card;
  card.name = properties.name;
  card.major = properties.major;
  card.minor = properties.minor;
  card.processors = properties.multiProcessorCount;
  card.memory_bytes = properties.totalGlobalMem;
  card.l2_bytes = static_cast<std::size_t>(properties.l2CacheSize);
  HANGAR_CUDA(cudaDriverGetVersion(&card.driver_cuda));
  HANGAR_CUDA(cudaRuntimeGetVersion(&card.runtime_cuda));
  if (cards) card.driver = cards->driver;
  return card;
}

}  // namespace hangar::cuda::bench
