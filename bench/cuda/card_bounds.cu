#include <algorithm>
#include <array>
#include <stdexcept>
#include <vector>

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "backend/cuda/launch.h"
#include "card_bounds.h"
#include "matrix_peak.h"
#include "stream_times.h"

namespace hangar::cuda::bench {
namespace {

constexpr std::size_t kMostReadBytes = std::size_t{16} << 30;
constexpr std::size_t kLeastReadBytes = std::size_t{4} << 30;
constexpr int kThreads = 512;
constexpr int kInFlight = 8;
constexpr int kRepeats = 9;

__device__ std::uint64_t mixed(std::uint64_t z) {  // splitmix64's end
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31U);
}

__global__ void fill_bits(uint4* data, std::size_t vectors) {
  const std::size_t step = std::size_t{gridDim.x} * blockDim.x;
  for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < vectors; i += step) {
    const std::uint64_t a = mixed(2 * i + 1);
    const std::uint64_t b = mixed(2 * i + 2);
    data[i] = make_uint4(static_cast<unsigned>(a), static_cast<unsigned>(a >> 32U),
                         static_cast<unsigned>(b), static_cast<unsigned>(b >> 32U));
  }
}

// Not to be moved past one another: so the compiler lets all of a round be under way at once.
__device__ uint4 load(const uint4* at) {
  uint4 v;
  asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(at));
  return v;
}

// Every vector once; the sum has to be made, or the loads would not be.
__global__ void __launch_bounds__(kThreads)
    read_all(const uint4* data, std::size_t vectors, unsigned* sink) {
  constexpr std::size_t kChunk = std::size_t{kThreads} * kInFlight;
  unsigned sum = 0;
  for (std::size_t base = blockIdx.x * kChunk; base + kChunk <= vectors;
       base += gridDim.x * kChunk) {
    uint4 v[kInFlight];
#pragma unroll
    for (int i = 0; i < kInFlight; ++i) v[i] = load(data + base + i * kThreads + threadIdx.x);
#pragma unroll
    for (int i = kInFlight; i-- > 0;) sum = sum * 31U + (v[i].x ^ v[i].y ^ v[i].z ^ v[i].w);
  }
  if (sum == 0x9E3779B9U) *sink = sum;
}

__device__ float normal(std::uint64_t bits) {
  // Box and Muller's: two uniform numbers make one (the other is left).
  const float u = (static_cast<float>(bits >> 40U) + 1.0F) * 0x1p-24F;
  const float v = static_cast<float>((bits >> 8U) & 0xFFFFFFU) * 0x1p-24F;
  return sqrtf(-2.0F * __logf(u)) * __cosf(6.2831853F * v);
}

__device__ void store(float* at, float value) {
  *at = value;
}
__device__ void store(__half* at, float value) {
  *at = __float2half_rn(value);
}
__device__ void store(__nv_bfloat16* at, float value) {
  *at = __float2bfloat16_rn(value);
}

template <typename T>
__global__ void fill_normal_kernel(T* data, std::size_t elements, float deviation,
                                   std::uint64_t seed) {
  const std::size_t step = std::size_t{gridDim.x} * blockDim.x;
  for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < elements;
       i += step) {
    store(data + i, deviation * normal(mixed(seed * 0x9E3779B97F4A7C15U + i)));
  }
}

template <typename T>
void fill(void* data, std::size_t elements, float deviation, std::uint64_t seed,
          cudaStream_t stream) {
  fill_normal_kernel<<<1024, 256, 0, stream>>>(static_cast<T*>(data), elements, deviation, seed);
  HANGAR_CUDA(cudaGetLastError());
}

double median_s(cudaStream_t stream, const std::function<void()>& work) {
  std::vector<double> times = times_us(stream, kRepeats, work);
  std::nth_element(times.begin(), times.begin() + kRepeats / 2, times.end());
  return times[kRepeats / 2] / 1e6;
}

// As much as makes the caches small beside it, and leaves room.
std::size_t read_size() {
  std::size_t free_bytes = 0;
  std::size_t total_bytes = 0;
  HANGAR_CUDA(cudaMemGetInfo(&free_bytes, &total_bytes));
  std::size_t bytes = kMostReadBytes;
  while (bytes > free_bytes / 2 && bytes > kLeastReadBytes) bytes /= 2;
  if (bytes > free_bytes) {
    throw std::runtime_error(
        "less than 4 GiB of the card's memory is free: somebody else is on it");
  }
  return bytes;
}

}  // namespace

CardBounds card_bounds(const Card& card, DType type, cudaStream_t stream) {
  CardBounds bounds;
  const std::size_t bytes = read_size();
  void* data = nullptr;
  HANGAR_CUDA(cudaMalloc(&data, bytes));
  const std::size_t vectors = bytes / sizeof(uint4);
  fill_bits<<<1024, 256, 0, stream>>>(static_cast<uint4*>(data), vectors);
  HANGAR_CUDA(cudaGetLastError());
  // Where the sum would go: beside what is read, and never written in practice.
  auto* sink = static_cast<unsigned*>(data);
  for (const int blocks_each : {2, 4}) {
    const double seconds = median_s(stream, [&] {
      read_all<<<card.processors * blocks_each, kThreads, 0, stream>>>(
          static_cast<const uint4*>(data), vectors, sink);
      HANGAR_CUDA(cudaGetLastError());
    });
    bounds.read_bytes_per_s =
        std::max(bounds.read_bytes_per_s, static_cast<double>(bytes) / seconds);
  }
  const std::size_t half = bytes / 2;
  const double seconds = median_s(stream, [&] {
    HANGAR_CUDA(cudaMemcpyAsync(static_cast<char*>(data) + half, data, half,
                                cudaMemcpyDeviceToDevice, stream));
  });
  bounds.copy_bytes_per_s = static_cast<double>(bytes) / seconds;
  HANGAR_CUDA(cudaFree(data));
  bounds.matrix_operations_per_s = matrix_operations_per_s(type, stream);
  return bounds;
}

void fill_normal(void* data, std::size_t elements, DType type, float deviation, std::uint64_t seed,
                 cudaStream_t stream) {
  switch (type) {
    case DType::kF32:
      return fill<float>(data, elements, deviation, seed, stream);
    case DType::kF16:
      return fill<__half>(data, elements, deviation, seed, stream);
    case DType::kBF16:
      return fill<__nv_bfloat16>(data, elements, deviation, seed, stream);
    default:
      throw std::runtime_error("fill_normal: only F32, F16 and BF16");
  }
}

}  // namespace hangar::cuda::bench
