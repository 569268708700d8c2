// The prefill kernel of Hopper cards: many query rows of a sequence at once, by wgmma.
//
// Promise: see attention.h. Blocks stay, one for each multiprocessor, and take tiles
//   (attention_prefill_tiles.cuh) as they get done. A warp finds tiles, a warp starts copies, and
//   warpgroups of 64 packed query rows each (attention_prefill_rows.cuh) multiply, all with the
//   same keys and values: the next tile's come while a tile ends. FP8 has a warpgroup that makes
//   halves of codes, once for all rows (attention_prefill_loader.cuh).
// Source: FlashAttention-3's division of labour.
// Threads: device code.
#pragma once

#include <cstdint>

#include "backend/cuda/attention_prefill_loader.cuh"
#include "backend/cuda/attention_prefill_rows.cuh"
#include "backend/cuda/attention_prefill_sizes.cuh"

namespace hangar::cuda::attend::hopper {

template <typename S>
__global__ void __launch_bounds__(S::kThreads, 1)
    prefill_kernel(const __grid_constant__ AttentionArguments a,
                   const __grid_constant__ PrefillMaps maps, int fewest_rows, unsigned* counter) {
#if __CUDA_ARCH__ >= 900
  extern __shared__ __align__(1024) std::byte prefill_memory[];
  const Shared<S> shared{shared_address(prefill_memory)};
  if (threadIdx.x == 0) {
    if (shared.begin % 1024 != 0) __trap();
    shared.init_barriers();
    prefetch_map(&maps.queries);
    if constexpr (!S::kCodes) {
      prefetch_map(&maps.keys);
      prefetch_map(&maps.values);
    }
  }
  __syncthreads();
  cudaGridDependencySynchronize();
  cudaTriggerProgrammaticLaunchCompletion();
  // The same in all lanes, and known to be: what depends on it does not diverge.
  const int warp = __shfl_sync(~0U, static_cast<int>(threadIdx.x) / 32, 0);
  if (warp < S::kConsumerWarps) {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(S::kConsumerRegisters));
    attend_rows<S>(a, shared, warp);
  } else if (warp < S::kConsumerWarps + 4) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(S::kLoaderRegisters));
    if (warp == S::kConsumerWarps) {
      Queue<S> queue = shared.queue();
      find_tiles<S::kRows>(a, fewest_rows, counter, queue);
    } else if (warp == S::kConsumerWarps + 1) {
      load<S>(a, maps, shared);
    } else if constexpr (S::kCodes && !S::kUnpackGroup) {
      unpack<S>(shared, static_cast<int>(threadIdx.x) - 32 * (S::kConsumerWarps + 2));
    }
  } else if constexpr (S::kUnpackGroup) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(S::kUnpackerRegisters));
    unpack<S>(shared, static_cast<int>(threadIdx.x) - 32 * (S::kConsumerWarps + 4));
  }
#endif
}

}  // namespace hangar::cuda::attend::hopper
