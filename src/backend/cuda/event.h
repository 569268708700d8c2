// Event: a place on a stream, and the time between two of them.
//
// Promise: us_since() waits until the card has passed this place.
// Units: microseconds.
// Errors: CudaError.
// Threads: one at a time.
#pragma once

#include <cuda_runtime.h>

#include "backend/cuda/launch.h"

namespace hangar::cuda {

class Event {
 public:
  Event() { HANGAR_CUDA(cudaEventCreate(&event_)); }
  ~Event() { (void)cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void record(cudaStream_t stream) { HANGAR_CUDA(cudaEventRecord(event_, stream)); }
  double us_since(const Event& before) const {
    float ms = 0.0F;
    HANGAR_CUDA(cudaEventSynchronize(event_));
    HANGAR_CUDA(cudaEventElapsedTime(&ms, before.event_, event_));
    return 1e3 * static_cast<double>(ms);
  }

 private:
  cudaEvent_t event_ = nullptr;
};

}  // namespace hangar::cuda
