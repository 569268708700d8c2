// Reading and writing elements of an activation, and choosing a kernel by their types.
//
// Promise: load and store move kWidth elements, 1 or 8, through float32; 8 as 16-byte accesses,
//   which wide() says are allowed; RawElements brings them and leaves them as they lie.
//   with_types() and its kin call f with an ElementType for each operand. A kernel calls
//   begin_reading() before it reads or writes what other kernels do.
// Errors: with_*: std::invalid_argument for other types.
// Threads: pure functions.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <type_traits>

#include "backend/cuda/launch.h"
#include "backend/cuda/warp.cuh"
#include "tensor/activation.h"

namespace hangar::cuda {

inline constexpr int kWideElements = 8;

template <typename T>
struct Rows {
  T* data = nullptr;
  std::int64_t stride = 0;

  Rows() = default;
  explicit Rows(const Activation& x) : data(static_cast<T*>(x.data)), stride(x.row_stride()) {}
  __device__ T* row(std::int64_t r) const { return data + r * stride; }
};

// Lets the kernel behind on the stream begin to load, and waits for the one before. (The one behind
// waits for the end of this one, and so of all before it.)
__device__ inline void begin_reading() {
#if __CUDA_ARCH__ >= 900
  cudaTriggerProgrammaticLaunchCompletion();
  cudaGridDependencySynchronize();
#endif
}

__device__ inline float to_float(float x) {
  return x;
}
__device__ inline float to_float(__nv_bfloat16 x) {
  return __bfloat162float(x);
}
__device__ inline float to_float(__half x) {
  return __half2float(x);
}

template <typename T>
__device__ inline T from_float(float x) {
  if constexpr (std::is_same_v<T, __nv_bfloat16>) {
    return __float2bfloat16_rn(x);
  } else if constexpr (std::is_same_v<T, __half>) {
    return __float2half_rn(x);
  } else {
    return x;
  }
}

// 1 or 8 elements of a row as they lie in memory: what several loads under way bring.
template <typename T, int kWidth>
struct RawElements {
  static constexpr int kBytes = static_cast<int>(sizeof(T)) * kWidth;
  struct alignas(kBytes < 16 ? kBytes : 16) Storage {
    T of[kWidth];
  } storage;

  __device__ __forceinline__ void load(const T* from) {
    if constexpr (kBytes < 16) {
      storage.of[0] = *from;
    } else {
      uint4 words[kBytes / 16];
#pragma unroll
      for (int i = 0; i < kBytes / 16; ++i) words[i] = reinterpret_cast<const uint4*>(from)[i];
      memcpy(static_cast<void*>(&storage), words, sizeof(words));
    }
  }
  __device__ __forceinline__ float operator[](int i) const { return to_float(storage.of[i]); }
};

template <int kWidth, typename T>
__device__ inline void load(const T* from, float (&values)[kWidth]) {
  RawElements<T, kWidth> raw;
  raw.load(from);
#pragma unroll
  for (int i = 0; i < kWidth; ++i) values[i] = raw[i];
}

template <int kWidth, typename T>
__device__ inline void store(T* to, const float (&values)[kWidth]) {
  if constexpr (kWidth == 1) {
    *to = from_float<T>(values[0]);
  } else {
    static_assert(kWidth == kWideElements);
    constexpr int kStores = static_cast<int>(sizeof(T)) * kWidth / 16;
    uint4 words[kStores];
    T elements[kWidth];
#pragma unroll
    for (int i = 0; i < kWidth; ++i) elements[i] = from_float<T>(values[i]);
    memcpy(words, static_cast<const void*>(elements), sizeof(words));
#pragma unroll
    for (int i = 0; i < kStores; ++i) reinterpret_cast<uint4*>(to)[i] = words[i];
  }
}

inline std::size_t element_bytes(const Activation& x) {
  return x.dtype == DType::kF32 ? sizeof(float) : sizeof(std::uint16_t);
}

// Every row of x can be moved 8 elements at a time, `columns` of them.
inline bool wide(const Activation& x, std::int64_t columns) {
  const auto address = reinterpret_cast<std::uintptr_t>(x.data);
  const std::size_t stride_bytes = static_cast<std::size_t>(x.row_stride()) * element_bytes(x);
  return address % 16 == 0 && columns % kWideElements == 0 &&
         (x.rows <= 1 || stride_bytes % 16 == 0);
}
inline bool wide(const float* vector) {
  return reinterpret_cast<std::uintptr_t>(vector) % 16 == 0;
}

template <typename T>
struct ElementType {
  using Type = T;
};

// f(ElementType).
template <typename F>
void with_type(DType type, F f) {
  switch (type) {
    case DType::kF32:
      return f(ElementType<float>{});
    case DType::kBF16:
      return f(ElementType<__nv_bfloat16>{});
    case DType::kF16:
      return f(ElementType<__half>{});
    default:
      throw std::invalid_argument("no CUDA kernel for activations of this type");
  }
}

// f(ElementType of a, of b): equal, or a is float32.
template <typename F>
void with_full_or_same(DType a, DType b, F f) {
  with_type(b, [&](auto b_type) {
    if (a == b) return f(b_type, b_type);
    if (a != DType::kF32) throw std::invalid_argument("activations of two types in one operation");
    f(ElementType<float>{}, b_type);
  });
}

// f(ElementType of a, of b): equal, or one of them is float32.
template <typename F>
void with_types(DType a, DType b, F f) {
  if (b != DType::kF32 || a == b) return with_full_or_same(a, b, f);
  with_type(a, [&](auto a_type) { f(a_type, ElementType<float>{}); });
}

// f(std::integral_constant<int, 8 or 1>).
template <typename F>
void with_width(bool wide, F f) {
  if (wide) {
    f(std::integral_constant<int, kWideElements>{});
  } else {
    f(std::integral_constant<int, 1>{});
  }
}

// One thread for each `width` elements of a row: rows on x, parts of a row on y.
struct RowGrid {
  dim3 grid;
  dim3 block;

  RowGrid(std::int64_t rows, std::int64_t columns, int width) {
    constexpr std::int64_t kMostThreads = 256;
    const std::int64_t pieces = (columns + width - 1) / width;
    const std::int64_t threads = pieces < kMostThreads ? (pieces + 31) / 32 * 32 : kMostThreads;
    block = dim3(static_cast<unsigned>(threads));
    grid =
        dim3(static_cast<unsigned>(rows), static_cast<unsigned>((pieces + threads - 1) / threads));
  }
};

// Over a block of whole warps, the same in every thread; `join` of two values. Once in a kernel for
// each type of `join`.
template <typename Join>
__device__ inline float join_over_block(float value, Join join, float neutral) {
  __shared__ float of_warps[32];
  value = over_warp(value, join);
  if (blockDim.x == 32) return value;
  if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = value;
  __syncthreads();
  value = threadIdx.x % 32 < blockDim.x / 32 ? of_warps[threadIdx.x % 32] : neutral;
  return over_warp(value, join);
}

// The column where a thread of a RowGrid begins.
__device__ inline std::int64_t column_of_thread(int width) {
  return (static_cast<std::int64_t>(blockIdx.y) * blockDim.x + threadIdx.x) * width;
}

}  // namespace hangar::cuda
