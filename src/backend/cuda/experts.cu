#include "backend/cuda/element_io.cuh"
#include "backend/cuda/experts.h"
#include "backend/cuda/ordered_key.cuh"

namespace hangar::cuda {
namespace {

constexpr int kRowsOfBlock = 4;

// A warp for each row; a lane looks after every 32nd expert. A few hundred scores a row: they are
// gone through k times, from the cache.
__global__ void __launch_bounds__(kRowsOfBlock * 32)
    top_experts_kernel(Rows<float> scores, int rows, int experts, int k, bool normalize,
                       std::int32_t* ids, float* weights) {
  const int row = static_cast<int>(blockIdx.x) * kRowsOfBlock + static_cast<int>(threadIdx.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  begin_reading();
  if (row >= rows) return;
  const float* own = scores.row(row);
  std::int32_t* own_ids = ids + static_cast<std::int64_t>(row) * k;
  float* own_weights = weights + static_cast<std::int64_t>(row) * k;

  unsigned taken = 0;  // of this lane's experts
  float best = 0.0F;
  double total = 0.0;
  for (int i = 0; i < k; ++i) {
    std::uint64_t found = 0;
    for (int e = lane, bit = 0; e < experts; e += 32, ++bit) {
      if ((taken >> bit & 1U) != 0) continue;
      const std::uint64_t candidate = ranked(key_of(own[e]), e);
      found = candidate > found ? candidate : found;
    }
    const int expert = index_of_ranked(warp_maximum(found));
    if (expert % 32 == lane) taken |= 1U << (expert / 32);
    const float score = own[expert];
    if (i == 0) best = score;
    const float share = expf(score - best);
    total += static_cast<double>(share);
    if (lane == 0) {
      own_ids[i] = expert;
      own_weights[i] = share;
    }
  }
  if (!normalize) {
    total = 0.0;
    for (int e = lane; e < experts; e += 32) total += static_cast<double>(expf(own[e] - best));
#pragma unroll
    for (int offset = 16; offset > 0; offset /= 2) total += __shfl_xor_sync(~0U, total, offset);
  }
  __syncwarp();
  for (int i = lane; i < k; i += 32) {
    own_weights[i] = static_cast<float>(static_cast<double>(own_weights[i]) / total);
  }
}

}  // namespace

void top_experts(const Launch& launch, Activation scores, std::int32_t k, bool normalize,
                 std::int32_t* ids, float* weights) {
  if (scores.dtype != DType::kF32 || scores.columns > kMostExperts) {
    throw std::invalid_argument("top_experts: float32 scores of at most 1024 experts");
  }
  if (scores.rows == 0) return;
  const auto blocks = static_cast<unsigned>((scores.rows + kRowsOfBlock - 1) / kRowsOfBlock);
  launch_kernel(launch, top_experts_kernel, dim3(blocks), dim3(kRowsOfBlock * 32), 0,
                Rows<float>(scores), static_cast<int>(scores.rows),
                static_cast<int>(scores.columns), k, normalize, ids, weights);
}

}  // namespace hangar::cuda
