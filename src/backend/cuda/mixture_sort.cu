#include "backend/cuda/element_io.cuh"
#include "backend/cuda/experts.h"
#include "backend/cuda/mixture_sort.h"

namespace hangar::cuda {
namespace {

constexpr int kThreads = static_cast<int>(kMostExperts);  // one for each expert

// value, summed over the threads before this one. Ends with a barrier.
__device__ int sum_before(int value, int* warps) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  int upto = value;
#pragma unroll
  for (int step = 1; step < 32; step *= 2) {
    const int other = __shfl_up_sync(~0U, upto, step);
    if (lane >= step) upto += other;
  }
  if (lane == 31) warps[warp] = upto;
  __syncthreads();
  int before = upto - value;
  for (int w = 0; w < warp; ++w) before += warps[w];
  __syncthreads();
  return before;
}

__global__ void __launch_bounds__(kThreads)
    sort_kernel(SortedChoices to, const std::int32_t* ids, int rows, int used, int experts,
                int width) {
  __shared__ int counts[kThreads];
  __shared__ int warps[kThreads / 32];
  const int thread = static_cast<int>(threadIdx.x);
  const int choices = rows * used;
  begin_reading();
  counts[thread] = 0;
  __syncthreads();
  for (int i = thread; i < choices; i += kThreads) atomicAdd(&counts[ids[i]], 1);
  __syncthreads();
  const int count = thread < experts ? counts[thread] : 0;
  const int first = sum_before(count, warps);
  const int pieces = (count + width - 1) / width;
  const int first_tile = sum_before(pieces, warps);
  counts[thread] = first;  // where the expert's next choice goes
  for (int piece = 0; piece < pieces; ++piece) {
    const int begin = piece * width;
    to.tiles[first_tile + piece] = {thread, first + begin, min(width, count - begin)};
  }
  if (thread == kThreads - 1) *to.tile_count = first_tile + pieces;
  __syncthreads();
  for (int i = thread; i < choices; i += kThreads) to.order[atomicAdd(&counts[ids[i]], 1)] = i;
  // A row's own: few. A row has each expert once.
  for (int row = thread; row < rows; row += kThreads) {
    const std::int32_t* own = ids + row * used;
    for (int i = 0; i < used; ++i) {
      int place = 0;
      for (int other = 0; other < used; ++other) place += own[other] < own[i] ? 1 : 0;
      to.by_expert[row * used + place] = row * used + i;
    }
  }
}

}  // namespace

void sort_choices(const Launch& launch, const SortedChoices& to, const std::int32_t* ids,
                  std::int32_t rows, std::int32_t used, std::int32_t experts, std::int32_t width) {
  launch_kernel(launch, sort_kernel, dim3(1), dim3(kThreads), 0, to, ids, rows, used, experts,
                width);
}

}  // namespace hangar::cuda
