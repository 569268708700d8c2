// scan_block: what the threads of a block have, added up in their order.
//
// Promise: `before` is the sum over the threads before this one, `total` over all.
// Shapes: kWarps full warps; of_warps [kWarps], in shared memory, free again at the end.
// Threads: a whole block calls it; it ends with a barrier.
#pragma once

namespace hangar::cuda {

template <typename T>
struct Scan {
  T before;
  T total;
};

template <int kWarps, typename T>
__device__ Scan<T> scan_block(T value, T* of_warps) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  T sum = value;
#pragma unroll
  for (int offset = 1; offset < 32; offset *= 2) {
    const T other = __shfl_up_sync(~0U, sum, offset);
    if (lane >= offset) sum += other;
  }
  if (lane == 31) of_warps[warp] = sum;
  __syncthreads();
  T before = sum - value;
  T total = 0;
  for (int w = 0; w < kWarps; ++w) {
    const T of_warp = of_warps[w];
    if (w < warp) before += of_warp;
    total += of_warp;
  }
  __syncthreads();
  return {before, total};
}

}  // namespace hangar::cuda
