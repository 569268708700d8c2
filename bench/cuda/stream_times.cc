#include "stream_times.h"

#include "backend/cuda/event.h"

namespace hangar::cuda::bench {
std::vector<double> times_us(cudaStream_t stream, int repeats, const std::function<void()>& work) {
  work();
  HANGAR_CUDA(cudaStreamSynchronize(stream));
  Event begin;
  Event end;
  std::vector<double> times;
  for (int i = 0; i < repeats; ++i) {
    begin.record(stream);
    work();
    end.record(stream);
    times.push_back(end.us_since(begin));
  }
  return times;
}

}  // namespace hangar::cuda::bench
