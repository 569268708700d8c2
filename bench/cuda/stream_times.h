// How long work on a stream takes, by events.
//
// Promise: times_us() runs `work` once unseen and then `repeats` times, each between two events.
//   The few microseconds that an event and a launch take are in the figure: work lasts longer.
// Units: microseconds.
// Errors: CudaError. Threads: main's.
#pragma once

#include <cuda_runtime.h>

#include <functional>
#include <vector>

namespace hangar::cuda::bench {

std::vector<double> times_us(cudaStream_t stream, int repeats, const std::function<void()>& work);

}  // namespace hangar::cuda::bench
