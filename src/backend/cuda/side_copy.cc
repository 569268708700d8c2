#include "backend/cuda/side_copy.h"

#include "backend/cuda/launch.h"

namespace hangar::cuda {

SideCopy::SideCopy() {
  HANGAR_CUDA(cudaEventCreateWithFlags(&there_, cudaEventDisableTiming));
}

SideCopy::~SideCopy() {
  (void)cudaEventDestroy(there_);
}

void SideCopy::bring(cudaStream_t side, cudaStream_t stream, void* to, const void* from,
                     std::size_t bytes) {
  HANGAR_CUDA(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, side));
  HANGAR_CUDA(cudaEventRecord(there_, side));
  HANGAR_CUDA(cudaStreamWaitEvent(stream, there_, 0));
}

void SideCopy::wait() {
  HANGAR_CUDA(cudaEventSynchronize(there_));
}

}  // namespace hangar::cuda
