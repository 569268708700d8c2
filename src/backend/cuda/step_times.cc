#include "backend/cuda/step_times.h"

#include <cassert>
#include <cmath>

#include "backend/cuda/launch.h"

namespace hangar::cuda {

StepTimes::StepTimes(cudaStream_t stream) : stream_(stream) {
  for (Marks& marks : marks_) {
    HANGAR_CUDA(cudaEventCreate(&marks.begin));
    HANGAR_CUDA(cudaEventCreate(&marks.end));
  }
}

StepTimes::~StepTimes() {
  for (const Marks& marks : marks_) {
    if (marks.begin != nullptr) (void)cudaEventDestroy(marks.begin);
    if (marks.end != nullptr) (void)cudaEventDestroy(marks.end);
  }
}

void StepTimes::begin() {
  HANGAR_CUDA(cudaEventRecord(marks_[ended_ % kMost].begin, stream_));
  begun_ = true;
}

void StepTimes::end() {
  assert(ended_ - finished_ < kMost);
  const Marks& marks = marks_[ended_ % kMost];
  if (!begun_) HANGAR_CUDA(cudaEventRecord(marks.begin, stream_));  // draws without a step
  HANGAR_CUDA(cudaEventRecord(marks.end, stream_));
  begun_ = false;
  ++ended_;
}

std::int64_t StepTimes::finish() {
  assert(finished_ < ended_);
  const Marks& marks = marks_[finished_++ % kMost];
  HANGAR_CUDA(cudaEventSynchronize(marks.end));
  float ms = 0.0F;
  HANGAR_CUDA(cudaEventElapsedTime(&ms, marks.begin, marks.end));
  return std::lround(ms * 1000.0F);
}

}  // namespace hangar::cuda
