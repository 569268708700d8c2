#include "backend/cuda/element_io.cuh"
#include "backend/cuda/step_inputs.h"

namespace hangar::cuda {
namespace {

constexpr unsigned kThreads = 256;

__global__ void __launch_bounds__(kThreads)
    place_kernel(uint4* to, const uint4* from, unsigned count) {
  const unsigned i = blockIdx.x * kThreads + threadIdx.x;
  begin_reading();
  if (i < count) to[i] = __ldcg(from + i);
}

}  // namespace

void place_ints(const Launch& launch, std::int32_t* to, const std::int32_t* from,
                std::size_t count) {
  const auto vectors = static_cast<unsigned>((count + 3) / 4);
  const dim3 grid((vectors + kThreads - 1) / kThreads);
  launch_kernel(launch, place_kernel, grid, dim3(kThreads), 0, reinterpret_cast<uint4*>(to),
                reinterpret_cast<const uint4*>(from), vectors);
}

}  // namespace hangar::cuda
