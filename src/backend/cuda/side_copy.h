// SideCopy: what the host tells the card about a step, brought while the card computes on the one
// before.
//
// Promise: bring() queues a copy from pinned memory on a stream of its own, and lets what is put on
//   `stream` from then on wait for it: mostly it is there by then, and the stream does not stop for
//   the copy engine, some microseconds a copy. Nothing of `stream` is waited for: whoever brings
//   knows that nobody reads `to` any more. wait(): until the last copy has read its source.
// Errors: CudaError.
// Threads: as Backend.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>

namespace hangar::cuda {

class SideCopy {
 public:
  SideCopy();
  ~SideCopy();
  SideCopy(const SideCopy&) = delete;
  SideCopy& operator=(const SideCopy&) = delete;

  void bring(cudaStream_t side, cudaStream_t stream, void* to, const void* from, std::size_t bytes);
  void wait();

 private:
  cudaEvent_t there_ = nullptr;
};

}  // namespace hangar::cuda
