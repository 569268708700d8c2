// The input rows of a streaming product, made by each block for itself in shared memory.
//
// Promise: fill() writes columns [begin, end) of every row, in 16 bits, rounded once: x as it is,
//   its RMS norm, or f(gate) * up. Several loads are in flight in each thread, as the time that
//   this takes is one in which nothing is multiplied.
// Shapes: begin and end are multiples of 8; rows of `to` lie row_bytes apart.
// Threads: device code; the kConsumers threads of a block call these together.
#pragma once

#include <cstdint>

#include "backend/cuda/stream_matmul_math.cuh"

namespace hangar::cuda::stream {

inline constexpr int kConsumerWarps = 8;
inline constexpr int kConsumers = 32 * kConsumerWarps;

// All that make inputs and multiply; the warp that fills the ring is not among them.
__device__ __forceinline__ void consumer_barrier() {
  asm volatile("bar.sync 1, %0;" ::"n"(kConsumers) : "memory");
}

struct InputRows {
  std::byte* data = nullptr;
  int row_bytes = 0;

  __device__ __forceinline__ std::byte* at(int row, int column) const {
    return data + row * row_bytes + column * 2;
  }
};

__device__ __forceinline__ float4 load_float4(const float* p) {
  return __ldcg(reinterpret_cast<const float4*>(p));
}
template <typename T>
__device__ __forceinline__ uint4 load_8(const void* base, std::int64_t at) {
  return __ldcg(reinterpret_cast<const uint4*>(static_cast<const T*>(base) + at));
}

template <typename T>
struct PlainInput {
  static constexpr int kInFlight = 4;  // loads of a thread before it waits
  struct Raw {
    uint4 x;
  };
  __device__ static Raw load(const StreamProduct& product, int row, int column) {
    return {load_8<T>(product.x, row * product.x_stride + column)};
  }
  __device__ static uint4 make(const StreamProduct& /*product*/, const Raw& raw, int /*column*/,
                               float /*factor*/) {
    return raw.x;
  }
};

template <typename T>
struct GateInput {
  static constexpr int kInFlight = 4;  // loads of a thread before it waits
  struct Raw {
    uint4 gate;
    uint4 up;
  };
  __device__ static Raw load(const StreamProduct& product, int row, int column) {
    return {load_8<T>(product.x, row * product.x_stride + column),
            load_8<T>(product.up, row * product.up_stride + column)};
  }
  __device__ static std::uint32_t two(const Gate& f, std::uint32_t gates, std::uint32_t ups) {
    const float2 gate = unpack<T>(gates);
    const float2 up = unpack<T>(ups);
    return pack<T>(f(gate.x, up.x), f(gate.y, up.y));
  }
  __device__ static uint4 make(const StreamProduct& product, const Raw& raw, int /*column*/,
                               float /*factor*/) {
    const Gate f(product.gate);
    return {two(f, raw.gate.x, raw.up.x), two(f, raw.gate.y, raw.up.y),
            two(f, raw.gate.z, raw.up.z), two(f, raw.gate.w, raw.up.w)};
  }
};

template <typename T>
__device__ __forceinline__ uint2 normed(const float4& x, const float* weight, float factor) {
  const float4 w = __ldg(reinterpret_cast<const float4*>(weight));
  return {pack<T>(x.x * factor * w.x, x.y * factor * w.y),
          pack<T>(x.z * factor * w.z, x.w * factor * w.w)};
}

template <typename T>
struct NormInput {
  static constexpr int kInFlight = 2;  // loads of a thread before it waits
  struct Raw {
    float4 low;
    float4 high;
  };
  __device__ static Raw load(const StreamProduct& product, int row, int column) {
    const float* at = static_cast<const float*>(product.x) + row * product.x_stride + column;
    return {load_float4(at), load_float4(at + 4)};
  }
  __device__ static uint4 make(const StreamProduct& product, const Raw& raw, int column,
                               float factor) {
    const uint2 low = normed<T>(raw.low, product.norm_weight + column, factor);
    const uint2 high = normed<T>(raw.high, product.norm_weight + column + 4, factor);
    return {low.x, low.y, high.x, high.y};
  }
};

// `factors`: of each row, in shared memory; for norms.
template <typename Input>
__device__ __forceinline__ void fill_rows(const StreamProduct& product, const InputRows& to,
                                          int begin, int end, const float* factors) {
  constexpr int kInFlight = Input::kInFlight;
  const int pieces = (end - begin) / 8;
  const int total = pieces * static_cast<int>(product.rows);
  for (int first = static_cast<int>(threadIdx.x); first < total; first += kInFlight * kConsumers) {
    typename Input::Raw raw[kInFlight];
#pragma unroll
    for (int i = 0; i < kInFlight; ++i) {
      const int piece = first + i * kConsumers;
      if (piece >= total) continue;
      const int row = piece / pieces;
      raw[i] = Input::load(product, row, begin + 8 * (piece - row * pieces));
    }
#pragma unroll
    for (int i = 0; i < kInFlight; ++i) {
      const int piece = first + i * kConsumers;
      if (piece >= total) continue;
      const int row = piece / pieces;
      const int column = 8 * (piece - row * pieces);
      *reinterpret_cast<uint4*>(to.at(row, column)) =
          Input::make(product, raw[i], begin + column, factors[row]);
    }
  }
}

__device__ __forceinline__ float warp_sum(float value) {
#pragma unroll
  for (int lanes = 16; lanes > 0; lanes /= 2) value += __shfl_xor_sync(0xFFFFFFFFU, value, lanes);
  return value;
}

__device__ __forceinline__ float square_sum(const float4& v) {
  return v.x * v.x + v.y * v.y + v.z * v.z + v.w * v.w;
}

__device__ __forceinline__ float norm_factor(const StreamProduct& product, float squares) {
  return rsqrtf(squares / static_cast<float>(product.columns) + product.eps);
}

// Into factors[rows]; `parts` is shared memory for kConsumerWarps floats. A row is summed by as
// many warps as there are for it. Ends with a barrier.
__device__ __forceinline__ void norm_factors(const StreamProduct& product, float* parts,
                                             float* factors) {
  const int rows = static_cast<int>(product.rows);
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  int warps = kConsumerWarps;  // of a row
  while (warps * rows > kConsumerWarps) warps /= 2;
  const int row = warp / warps;
  float squares = 0.0F;
  if (row < rows) {
    const float* x = static_cast<const float*>(product.x) + row * product.x_stride;
    const int columns = static_cast<int>(product.columns);
#pragma unroll 8
    for (int c = 4 * (warp % warps * 32 + lane); c < columns; c += 4 * 32 * warps) {
      squares += square_sum(load_float4(x + c));
    }
  }
  squares = warp_sum(squares);
  if (lane == 0) parts[warp] = squares;
  consumer_barrier();
  if (static_cast<int>(threadIdx.x) < rows) {
    float sum = 0.0F;
    for (int i = 0; i < warps; ++i) sum += parts[static_cast<int>(threadIdx.x) * warps + i];
    factors[threadIdx.x] = norm_factor(product, sum);
  }
  consumer_barrier();
}

inline constexpr int kKeptColumns = 5 * 4 * kConsumers;  // of one row, in registers

// One row of at most kKeptColumns: x is read once. `parts` as above.
template <typename T>
__device__ __forceinline__ void fill_normed_row(const StreamProduct& product, const InputRows& to,
                                                float* parts) {
  constexpr int kPieces = kKeptColumns / (4 * kConsumers);
  const int columns = static_cast<int>(product.columns);
  const float* x = static_cast<const float*>(product.x);
  float4 kept[kPieces];
  float squares = 0.0F;
#pragma unroll
  for (int i = 0; i < kPieces; ++i) {
    const int column = 4 * (static_cast<int>(threadIdx.x) + i * kConsumers);
    kept[i] = column < columns ? load_float4(x + column) : float4{0.0F, 0.0F, 0.0F, 0.0F};
  }
#pragma unroll
  for (int i = 0; i < kPieces; ++i) squares += square_sum(kept[i]);
  squares = warp_sum(squares);
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = squares;
  consumer_barrier();
  squares = 0.0F;
#pragma unroll
  for (int i = 0; i < kConsumerWarps; ++i) squares += parts[i];
  const float factor = norm_factor(product, squares);
#pragma unroll
  for (int i = 0; i < kPieces; ++i) {
    const int column = 4 * (static_cast<int>(threadIdx.x) + i * kConsumers);
    if (column >= columns) continue;
    *reinterpret_cast<uint2*>(to.at(0, column)) =
        normed<T>(kept[i], product.norm_weight + column, factor);
  }
}

}  // namespace hangar::cuda::stream
