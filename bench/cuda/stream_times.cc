#include "stream_times.h"

#include "backend/cuda/launch.h"

namespace hangar::cuda::bench {
namespace {

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
    return static_cast<double>(ms) * 1e3;
  }

 private:
  cudaEvent_t event_ = nullptr;
};

}  // namespace

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
