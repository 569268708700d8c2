// StepTimes: how long the card computed on each step, from its inputs to its draws.
//
// Promise: begin() and end() mark a step on the stream; finish() waits for the end of the oldest
//   step that has been ended and not finished, and gives its microseconds. A step that is begun and
//   never ended (whose logits the host reads) is forgotten when the next begins.
// Errors: CudaError.
// Threads: as Backend. At most kMost steps are ended and not finished.
#pragma once

#include <cuda_runtime.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace hangar::cuda {

class StepTimes {
 public:
  static constexpr std::size_t kMost = 4;

  explicit StepTimes(cudaStream_t stream);
  ~StepTimes();
  StepTimes(const StepTimes&) = delete;
  StepTimes& operator=(const StepTimes&) = delete;

  void begin();
  void end();
  std::int64_t finish();

 private:
  struct Marks {
    cudaEvent_t begin = nullptr;
    cudaEvent_t end = nullptr;
  };

  cudaStream_t stream_;
  std::array<Marks, kMost> marks_;
  std::size_t ended_ = 0;     // steps ended so far
  std::size_t finished_ = 0;  // steps finished so far
  bool begun_ = false;
};

}  // namespace hangar::cuda
