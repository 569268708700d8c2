// Launch: where and how kernels are launched; and the checks that every CUDA call goes through.
//
// Promise: HANGAR_CUDA(call) throws CudaError with the call, CUDA's name of the error and its
//   words. launch_kernel() launches and checks; with `overlap` (programmatic dependent launch) the
//   kernel may begin while the one before it on the stream ends: such a kernel calls
//   cudaGridDependencySynchronize() before it reads what earlier kernels wrote, or writes what they
//   read, and may call cudaTriggerProgrammaticLaunchCompletion() when the next may begin.
// Errors: exceptions inside the backend only: they leave it as errors of load or of a step.
// Threads: one (the step thread); a Launch is a value.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>

namespace hangar::cuda {

class CudaError : public std::runtime_error {
 public:
  CudaError(cudaError_t code, const char* call);
  cudaError_t code() const { return code_; }

 private:
  cudaError_t code_;
};

inline void check(cudaError_t code, const char* call) {
  if (code != cudaSuccess) throw CudaError(code, call);
}

#define HANGAR_CUDA(call) ::hangar::cuda::check((call), #call)

struct Launch {
  cudaStream_t stream = nullptr;
  int processors = 1;          // streaming multiprocessors of the card
  bool hopper = false;         // compute capability 9.0: its own instructions may be used
  bool overlap = false;        // programmatic dependent launch
  bool deterministic = false;  // a row's result depends on that row alone: fixed splits and orders
};

#ifdef __CUDACC__
template <typename... Parameters, typename... Arguments>
void launch_kernel(const Launch& launch, void (*kernel)(Parameters...), dim3 grid, dim3 block,
                   std::size_t shared_bytes, Arguments&&... arguments) {
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared_bytes;
  config.stream = launch.stream;
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  config.attrs = &attribute;
  config.numAttrs = launch.overlap && launch.hopper ? 1 : 0;
  HANGAR_CUDA(cudaLaunchKernelEx(&config, kernel,
                                 static_cast<Parameters>(std::forward<Arguments>(arguments))...));
}
#endif

}  // namespace hangar::cuda
