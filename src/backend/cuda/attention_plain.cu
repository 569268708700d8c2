// The plain attention kernel: any head size, any block size, nothing wanted of addresses: what tiny
// models of tests have. One block for each row and head; its threads have a token each for the
// scores, then an element each for the sums. In FP8 a token's scales are applied to its score and
// to its weight.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>
#include <stdexcept>

#include "backend/cuda/attention_kernels.h"
#include "backend/cuda/kv_layer.h"
#include "tensor/float8.h"

namespace hangar::cuda {
namespace {

constexpr int kThreads = 128;

__device__ inline float element(const void* data, std::int64_t at, bool half) {
  return half ? __half2float(static_cast<const __half*>(data)[at])
              : __bfloat162float(static_cast<const __nv_bfloat16*>(data)[at]);
}

// Element d of a token's key or value, without its scale. `tensor` begins with its head's block.
__device__ inline float cached(const AttentionArguments& a, const std::byte* tensor, int slot,
                               int d) {
  if (a.kv_type == KvType::kFp8) {
    const auto* codes = reinterpret_cast<const std::uint8_t*>(tensor);
    return float8_e4m3_to_float(codes[fp8_element(a.head_dim, slot, d)]);
  }
  return element(tensor, kv_element(a.head_dim, slot, d), a.kv_type == KvType::kF16);
}
__device__ inline float scale_of(const AttentionArguments& a, const std::byte* tensor, int slot) {
  if (a.kv_type != KvType::kFp8) return 1.0F;
  return *reinterpret_cast<const float*>(tensor + fp8_scale(a.head_dim, slot));
}

// The largest of, or the sum over, all of the block's threads; the same in each.
__device__ inline float over_block(float value, bool sum, float* shared) {
  const int thread = threadIdx.x;
  __syncthreads();
  shared[thread] = value;
  __syncthreads();
  for (int step = kThreads / 2; step > 0; step /= 2) {
    if (thread < step) {
      const float other = shared[thread + step];
      shared[thread] = sum ? shared[thread] + other : fmaxf(shared[thread], other);
    }
    __syncthreads();
  }
  return shared[0];
}

// Shared memory: the query and the sums, head_dim floats each.
__global__ void __launch_bounds__(kThreads)
    plain_kernel(const __grid_constant__ AttentionArguments a) {
#if __CUDA_ARCH__ >= 900
  cudaGridDependencySynchronize();
  cudaTriggerProgrammaticLaunchCompletion();
#endif
  extern __shared__ float vectors[];
  float* query = vectors;
  float* sums = vectors + a.head_dim;
  __shared__ float reduced[kThreads];
  __shared__ float weights[kThreads];
  __shared__ std::int64_t places[kThreads];  // of each token's block of the head, in bytes

  const int thread = threadIdx.x;
  const std::int64_t row = blockIdx.x;
  const int head = blockIdx.y;
  const int kv_head = head / a.group;
  const int dim = a.head_dim;
  const int element_bytes = a.kv_type == KvType::kFp8 ? 1 : 2;
  const auto* keys = static_cast<const std::byte*>(a.keys);
  const auto* values = static_cast<const std::byte*>(a.values);
  const RaggedBatch::Sequence sequence = a.sequences[a.row_sequence[row]];
  const int position = sequence.context_tokens + static_cast<int>(row) - sequence.first_row;
  const int first = a.window > 0 ? max(0, position + 1 - a.window) : 0;
  for (int d = thread; d < dim; d += kThreads) {
    query[d] = element(a.q, row * a.q_stride + head * dim + d, a.half);
    sums[d] = 0.0F;
  }
  __syncthreads();

  float largest = -INFINITY;
  float total = 0.0F;
  for (int begin = first; begin <= position; begin += kThreads) {
    const int token = begin + thread;
    const int tokens = min(kThreads, position + 1 - begin);
    float score = -INFINITY;
    if (thread < tokens) {
      const std::int64_t block = a.block_tables[sequence.first_block + token / a.block_tokens];
      const int slot = token % a.block_tokens;
      const std::int64_t at = (block * a.block_stride + kv_head * a.head_stride) * element_bytes;
      places[thread] = at;
      float dot = 0.0F;
      for (int d = 0; d < dim; ++d) dot += query[d] * cached(a, keys + at, slot, d);
      score = dot * scale_of(a, keys + at, slot) * a.inner_scale;
      if (a.softcap > 0.0F) score = a.softcap * tanhf(score);
    }
    const float most = fmaxf(largest, over_block(score, false, reduced));
    // Of scores that are not numbers there is no largest.
    const float reference = most == -INFINITY ? 0.0F : most;
    const float correction = exp2f(largest - reference);
    const float weight = thread < tokens ? exp2f(score - reference) : 0.0F;
    weights[thread] = weight;
    if (thread < tokens) {
      weights[thread] *= scale_of(a, values + places[thread], token % a.block_tokens);
    }
    total = total * correction + over_block(weight, true, reduced);
    for (int d = thread; d < dim; d += kThreads) {
      float sum = sums[d] * correction;
      for (int i = 0; i < tokens; ++i) {
        sum += weights[i] * cached(a, values + places[i], (begin + i) % a.block_tokens, d);
      }
      sums[d] = sum;
    }
    largest = most;
    __syncthreads();
  }
  for (int d = thread; d < dim; d += kThreads) {
    const float value = sums[d] / total;
    const std::int64_t at = row * a.out_stride + head * dim + d;
    if (a.half) {
      static_cast<__half*>(a.out)[at] = __float2half_rn(value);
    } else {
      static_cast<__nv_bfloat16*>(a.out)[at] = __float2bfloat16_rn(value);
    }
  }
}

}  // namespace

void attend_plain(const Launch& launch, const AttentionArguments& a) {
  const std::size_t shared_bytes = 2 * sizeof(float) * static_cast<std::size_t>(a.head_dim);
  constexpr std::size_t kMostBytes = std::size_t{32} << 10U;
  if (shared_bytes > kMostBytes) throw std::invalid_argument("attention: heads above 4096");
  launch_kernel(launch, plain_kernel,
                dim3(static_cast<unsigned>(a.rows), static_cast<unsigned>(a.kv_heads * a.group)),
                dim3(kThreads), shared_bytes, a);
}

}  // namespace hangar::cuda
