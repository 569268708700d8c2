// Weights made on the card: random numbers by a counter, so that each depends on its place and the
// seed alone.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>

#include "backend/cuda/launch.h"
#include "backend/cuda/weights_fill.h"

namespace hangar::cuda {
namespace {

constexpr int kThreads = 256;
constexpr std::int64_t kMostBlocks = 4096;

// splitmix64 of a counter.
__device__ __forceinline__ std::uint64_t mix(std::uint64_t z) {
  z += 0x9E3779B97F4A7C15ULL;
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31U);
}

__device__ __forceinline__ void store(float* at, float value) {
  *at = value;
}
__device__ __forceinline__ void store(__nv_bfloat16* at, float value) {
  *at = __float2bfloat16_rn(value);
}
__device__ __forceinline__ void store(__half* at, float value) {
  *at = __float2half_rn(value);
}

// Two numbers of one draw: uniform ones, or by Box and Muller normal ones.
__device__ __forceinline__ float2 two_numbers(std::uint64_t seed, std::uint64_t pair, float scale,
                                              RandomNumbers numbers) {
  const std::uint64_t bits = mix(mix(seed) + pair);
  const float first = static_cast<float>(bits >> 40U) * 0x1p-24F;
  const float second = static_cast<float>((bits >> 16U) & 0xFFFFFFU) * 0x1p-24F;
  if (numbers == RandomNumbers::kUniform) {
    return {scale * (2.0F * first - 1.0F), scale * (2.0F * second - 1.0F)};
  }
  const float radius = scale * sqrtf(-2.0F * logf(1.0F - first));
  float sine = 0.0F;
  float cosine = 0.0F;
  sincospif(2.0F * second, &sine, &cosine);
  return {radius * cosine, radius * sine};
}

template <typename T>
__global__ void random_kernel(T* data, std::int64_t elements, std::uint64_t seed, float scale,
                              RandomNumbers numbers, std::int64_t first_pair) {
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  const std::int64_t pairs = (elements + 1) / 2;
  for (std::int64_t pair = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; pair < pairs;
       pair += step) {
    const float2 both =
        two_numbers(seed, static_cast<std::uint64_t>(first_pair + pair), scale, numbers);
    store(data + 2 * pair, both.x);
    if (2 * pair + 1 < elements) store(data + 2 * pair + 1, both.y);
  }
}

template <typename T>
__global__ void constant_kernel(T* data, std::int64_t elements, float value) {
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t at = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; at < elements;
       at += step) {
    store(data + at, value);
  }
}

dim3 blocks_for(std::int64_t work) {
  return dim3(static_cast<unsigned>(
      std::clamp<std::int64_t>((work + kThreads - 1) / kThreads, 1, kMostBlocks)));
}

template <typename T>
void launch_random(void* data, std::int64_t elements, std::uint64_t seed, float scale,
                   RandomNumbers numbers, std::int64_t first, const Launch& launch) {
  launch_kernel(launch, random_kernel<T>, blocks_for((elements + 1) / 2), dim3(kThreads), 0,
                static_cast<T*>(data), elements, seed, scale, numbers, first / 2);
}

template <typename T>
void launch_constant(void* data, std::int64_t elements, float value, const Launch& launch) {
  launch_kernel(launch, constant_kernel<T>, blocks_for(elements), dim3(kThreads), 0,
                static_cast<T*>(data), elements, value);
}

}  // namespace

void fill_random(void* data, DType type, std::int64_t elements, std::uint64_t seed, float scale,
                 RandomNumbers numbers, cudaStream_t stream, std::int64_t first) {
  Launch launch;
  launch.stream = stream;
  if (type == DType::kBF16) {
    launch_random<__nv_bfloat16>(data, elements, seed, scale, numbers, first, launch);
  } else if (type == DType::kF16) {
    launch_random<__half>(data, elements, seed, scale, numbers, first, launch);
  } else {
    launch_random<float>(data, elements, seed, scale, numbers, first, launch);
  }
}

void fill_constant(void* data, DType type, std::int64_t elements, float value,
                   cudaStream_t stream) {
  Launch launch;
  launch.stream = stream;
  if (type == DType::kBF16) {
    launch_constant<__nv_bfloat16>(data, elements, value, launch);
  } else if (type == DType::kF16) {
    launch_constant<__half>(data, elements, value, launch);
  } else {
    launch_constant<float>(data, elements, value, launch);
  }
}

}  // namespace hangar::cuda
