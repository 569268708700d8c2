#include "backend/cuda/device_arch.h"

#include "backend/cuda/launch.h"

namespace hangar::cuda {
namespace {

__global__ void some_kernel() {}

}  // namespace

bool runs_hopper_code() {
  cudaFuncAttributes attributes{};
  HANGAR_CUDA(cudaFuncGetAttributes(&attributes, some_kernel));
  return attributes.ptxVersion >= 90;
}

}  // namespace hangar::cuda
