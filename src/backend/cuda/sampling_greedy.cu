#include "backend/cuda/element_io.cuh"
#include "backend/cuda/sampling_chunk.cuh"
#include "backend/cuda/sampling_kernels.h"

namespace hangar::cuda {
namespace {

// A block for each chunk of each row; the row's last block writes the token. A maximum does not
// depend on who comes first.
__global__ void __launch_bounds__(kScanThreads)
    greedy_kernel(SamplerArrays arrays, Rows<float> logits) {
  __shared__ std::uint64_t of_warps[kScanThreads / 32];
  begin_reading();
  const auto chunk = static_cast<std::int32_t>(blockIdx.x);
  const auto index = static_cast<std::int32_t>(blockIdx.y);
  const RowParams& params = reinterpret_cast<const RowParams*>(arrays.plan)[index];
  if ((params.flags & kRowActive) == 0) return;
  const std::int32_t place = params.place;
  if ((params.flags & kRowForced) != 0) {
    if (chunk == 0 && threadIdx.x == 0) {
      arrays.tokens[place] = params.forced;
      arrays.results[index] = {params.forced, 0.0F, 0, 0};
    }
    return;
  }
  const std::int32_t base = chunk * kSampleChunk;
  ChunkTokens tokens;
  tokens.read(logits.row(params.row) + base, min(kSampleChunk, arrays.vocabulary - base));
  tokens.keep_finite();
  const std::uint64_t best = block_maximum(tokens.best(base), of_warps);
  if (threadIdx.x != 0) return;
  atomicMax(reinterpret_cast<unsigned long long*>(arrays.best + index), best);
  __threadfence();
  if (atomicAdd(arrays.arrived + index, 1U) + 1 != gridDim.x) return;
  __threadfence();
  const std::uint64_t of_row =
      atomicExch(reinterpret_cast<unsigned long long*>(arrays.best + index), 0ULL);
  arrays.arrived[index] = 0;
  const bool none = key_of_ranked(of_row) == key_of(never());
  const std::int32_t token = none ? 0 : index_of_ranked(of_row);
  arrays.tokens[place] = token;
  arrays.results[index] = {token, 0.0F, 0, 0};
}

}  // namespace

void pick_greedy(const Launch& launch, const SamplerArrays& arrays, Activation logits,
                 std::int32_t rows) {
  const dim3 grid(static_cast<unsigned>(arrays.chunks()), static_cast<unsigned>(rows));
  launch_kernel(launch, greedy_kernel, grid, dim3(kScanThreads), 0, arrays, Rows<float>(logits));
}

}  // namespace hangar::cuda
