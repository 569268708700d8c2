// A block of threads brings a tile of stored bytes into shared memory in whole 16-byte words, as
// the bus to the host wants them, then each thread makes eight numbers that lie together.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "backend/cuda/launch.h"
#include "backend/cuda/weights_forms.h"
#include "backend/cuda/weights_unpack.h"

namespace hangar::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kPerThread = 8;
constexpr int kTileElements = kThreads * kPerThread;

__device__ __forceinline__ std::uint32_t bits16(float value, DType type) {
  return type == DType::kBF16 ? __bfloat16_as_ushort(__float2bfloat16_rn(value))
                              : __half_as_ushort(__float2half_rn(value));
}

// values[0 .. count) to elements `first` and on.
__device__ void store(void* to, DType type, std::int64_t first, const float (&values)[kPerThread],
                      std::int64_t count) {
  if (type == DType::kF32) {
    float* out = static_cast<float*>(to) + first;
#pragma unroll
    for (int i = 0; i < kPerThread; ++i) {
      if (i < count) out[i] = values[i];
    }
    return;
  }
  auto* out = static_cast<std::uint16_t*>(to) + first;
  if (count >= kPerThread && reinterpret_cast<std::uintptr_t>(out) % 16 == 0) {
    std::uint32_t pairs[kPerThread / 2];
#pragma unroll
    for (int i = 0; i < kPerThread / 2; ++i) {
      pairs[i] = bits16(values[2 * i], type) | (bits16(values[2 * i + 1], type) << 16U);
    }
    *reinterpret_cast<uint4*>(out) = make_uint4(pairs[0], pairs[1], pairs[2], pairs[3]);
    return;
  }
#pragma unroll
  for (int i = 0; i < kPerThread; ++i) {
    if (i < count) out[i] = static_cast<std::uint16_t>(bits16(values[i], type));
  }
}

template <class Form>
__global__ void unpack_kernel(const uint4* stored, void* to, DType type, std::int64_t elements) {
  constexpr int kTileBytes = kTileElements / Form::kElements * Form::kBytes;
  constexpr int kTileWords = kTileBytes / 16;
  static_assert(kTileBytes % 16 == 0, "tiles begin at words");
  __shared__ uint4 tile[kTileWords];
  const std::int64_t begin = std::int64_t{blockIdx.x} * kTileElements;
  const std::int64_t left_bytes = (elements - begin) / Form::kElements * Form::kBytes;
  const int words = left_bytes < kTileBytes ? static_cast<int>((left_bytes + 15) / 16) : kTileWords;
  const uint4* from = stored + std::int64_t{blockIdx.x} * kTileWords;
  for (int word = static_cast<int>(threadIdx.x); word < words; word += kThreads) {
    tile[word] = from[word];
  }
  __syncthreads();
  const int mine = static_cast<int>(threadIdx.x) * kPerThread;
  const std::int64_t count = elements - begin - mine;
  if (count <= 0) return;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(tile);
  float values[kPerThread];
#pragma unroll
  for (int i = 0; i < kPerThread; ++i) {
    // Of the tile: what is behind the last number is read, and not stored.
    const int at = mine + i;
    values[i] = Form::at(bytes + at / Form::kElements * Form::kBytes, at % Form::kElements);
  }
  store(to, type, begin + mine, values, count);
}

using Kernel = void (*)(const uint4*, void*, DType, std::int64_t);

Kernel kernel_of(DType stored) {
  switch (stored) {
    case DType::kF32:
      return unpack_kernel<forms::F32>;
    case DType::kF16:
      return unpack_kernel<forms::F16>;
    case DType::kBF16:
      return unpack_kernel<forms::Bf16>;
    case DType::kQ4_0:
      return unpack_kernel<forms::Q4_0>;
    case DType::kQ4_1:
      return unpack_kernel<forms::Q4_1>;
    case DType::kQ5_0:
      return unpack_kernel<forms::Q5_0>;
    case DType::kQ5_1:
      return unpack_kernel<forms::Q5_1>;
    case DType::kQ8_0:
      return unpack_kernel<forms::Q8_0>;
    case DType::kQ4_K:
      return unpack_kernel<forms::Q4K>;
    case DType::kQ5_K:
      return unpack_kernel<forms::Q5K>;
    case DType::kQ6_K:
      return unpack_kernel<forms::Q6K>;
    case DType::kInt4G32:
      return unpack_kernel<forms::Int4G32>;
    case DType::kInt8G32:
      return unpack_kernel<forms::Int8G32>;
    default:
      return nullptr;  // the host widens them
  }
}

}  // namespace

bool unpacks_on_card(DType stored) {
  return kernel_of(stored) != nullptr;
}

void unpack(const void* stored, DType from, void* to, DType type, std::int64_t elements,
            cudaStream_t stream) {
  const Kernel kernel = kernel_of(from);
  if (kernel == nullptr) throw CudaError(cudaErrorInvalidValue, "unpacking a weight");
  Launch launch;
  launch.stream = stream;
  const auto tiles = static_cast<unsigned>((elements + kTileElements - 1) / kTileElements);
  launch_kernel(launch, kernel, dim3(tiles), dim3(kThreads), 0, static_cast<const uint4*>(stored),
                to, type, elements);
}

}  // namespace hangar::cuda
