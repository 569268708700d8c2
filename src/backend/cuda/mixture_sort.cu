#include "backend/cuda/block_scan.cuh"
#include "backend/cuda/element_io.cuh"
#include "backend/cuda/experts.h"
#include "backend/cuda/mixture_sort.h"

namespace hangar::cuda {
namespace {

constexpr int kThreads = static_cast<int>(kMostExperts);  // one for each expert

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
  const int first = scan_block<kThreads / 32>(count, warps).before;
  const int pieces = (count + width - 1) / width;
  const Scan<int> tiles = scan_block<kThreads / 32>(pieces, warps);
  const int first_tile = tiles.before;
  counts[thread] = first;  // where the expert's next choice goes
  for (int piece = 0; piece < pieces; ++piece) {
    const int begin = piece * width;
    to.tiles[first_tile + piece] = {thread, first + begin, min(width, count - begin)};
  }
  if (thread == 0) *to.tile_count = tiles.total;
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
