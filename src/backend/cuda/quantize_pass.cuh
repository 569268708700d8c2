// The pass that quantizes rows to e4m3: what is read, and the kernel, over where it goes.
//
// Promise: run_quantize() finds each row's largest magnitude, and the factor of its norm where the
//   source has one, and gives the target the row's scale and its numbers times 448 over that
//   magnitude. A row's result depends on that row alone. What is read once stays in registers, of
//   rows of up to 32,768 columns; of others the rest is read again.
// Sources: Plain, Normed, Gated: load() reads kWidth elements, 1 or 8, as they lie; values() makes
//   numbers of them, before a norm's factor, and adds their squares up.
// Targets: row(r) is a row's: scale(s), of one thread; put(column, numbers, factor, whether the
//   column is one), of whole warps.
// Shapes: columns a multiple of kWidth; the target has `end` columns, zeros behind the source's.
// Threads: as quantize.h.
#pragma once

#include "backend/cuda/e4m3.cuh"
#include "backend/cuda/element_io.cuh"
#include "backend/cuda/gate.cuh"

namespace hangar::cuda {

inline constexpr int kMostQuantizeThreads = 1024;
inline constexpr float kE4m3Largest = 448.0F;

template <typename T>
struct Plain {
  static constexpr bool kNormed = false;
  using X = T;
  Rows<X> x;

  template <int kWidth>
  using Raw = RawElements<X, kWidth>;

  template <int kWidth>
  __device__ __forceinline__ void load(std::int64_t row, int column, Raw<kWidth>& raw) const {
    raw.load(x.row(row) + column);
  }
  template <int kWidth>
  __device__ __forceinline__ void values(const Raw<kWidth>& raw, int /*column*/,
                                         float (&values)[kWidth], float& /*squares*/) const {
#pragma unroll
    for (int i = 0; i < kWidth; ++i) values[i] = raw[i];
  }
};

// The same, times a norm's weights.
template <typename T>
struct Normed : Plain<T> {
  static constexpr bool kNormed = true;
  const float* weight;

  template <int kWidth>
  using Raw = typename Plain<T>::template Raw<kWidth>;

  template <int kWidth>
  __device__ __forceinline__ void values(const Raw<kWidth>& raw, int column,
                                         float (&values)[kWidth], float& squares) const {
    float weights[kWidth];
    cuda::load<kWidth>(weight + column, weights);
#pragma unroll
    for (int i = 0; i < kWidth; ++i) {
      squares += raw[i] * raw[i];
      values[i] = raw[i] * weights[i];
    }
  }
};

template <typename T>
struct Gated {
  static constexpr bool kNormed = false;
  using X = T;
  Rows<X> gate;
  Rows<X> up;
  GateFunction function;

  template <int kWidth>
  struct Raw {
    RawElements<X, kWidth> gate;
    RawElements<X, kWidth> up;
  };

  template <int kWidth>
  __device__ __forceinline__ void load(std::int64_t row, int column, Raw<kWidth>& raw) const {
    raw.gate.load(gate.row(row) + column);
    raw.up.load(up.row(row) + column);
  }
  template <int kWidth>
  __device__ __forceinline__ void values(const Raw<kWidth>& raw, int /*column*/,
                                         float (&values)[kWidth], float& /*squares*/) const {
    const Gate f(function);
#pragma unroll
    for (int i = 0; i < kWidth; ++i) values[i] = f(raw.gate[i], raw.up[i]);
  }
};

// Both over a block of whole warps, the same in every thread. Once in a kernel.
__device__ __forceinline__ void join_row(float& largest, float& squares, bool with_squares) {
  __shared__ float2 of_warps[32];
  const auto over_warp = [&] {
#pragma unroll
    for (int offset = 16; offset > 0; offset /= 2) {
      largest = fmaxf(largest, __shfl_xor_sync(~0U, largest, offset));
      if (with_squares) squares += __shfl_xor_sync(~0U, squares, offset);
    }
  };
  over_warp();
  if (blockDim.x == 32) return;
  if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = make_float2(largest, squares);
  __syncthreads();
  const float2 other =
      threadIdx.x % 32 < blockDim.x / 32 ? of_warps[threadIdx.x % 32] : make_float2(0.0F, 0.0F);
  largest = other.x;
  squares = other.y;
  over_warp();
}

// A block for each row; of each thread kPieces pieces of kWidth columns at a time, whose loads are
// under way together.
template <int kWidth, int kPieces, typename Source, typename Target>
__global__ void __launch_bounds__(kMostQuantizeThreads)
    quantize_kernel(Target target, Source source, int columns, int end, float eps) {
  const int step = static_cast<int>(blockDim.x) * kWidth;
  const int first = static_cast<int>(threadIdx.x) * kWidth;
  const std::int64_t row = blockIdx.x;
  begin_reading();
  float squares = 0.0F;
  float largest = 0.0F;
  const auto read = [&](int begin, float(&held)[kPieces][kWidth], float& adds_up) {
    typename Source::template Raw<kWidth> raw[kPieces];
#pragma unroll
    for (int k = 0; k < kPieces; ++k) {
      const int column = begin + k * step;
      source.template load<kWidth>(row, column < columns ? column : 0, raw[k]);
    }
#pragma unroll
    for (int k = 0; k < kPieces; ++k) {
      const int column = begin + k * step;
      const bool there = column < columns;
      float more = 0.0F;
      source.template values<kWidth>(raw[k], there ? column : 0, held[k], more);
      if (there) adds_up += more;
#pragma unroll
      for (int i = 0; i < kWidth; ++i) held[k][i] = there ? held[k][i] : 0.0F;
    }
  };
  const auto raise = [&](const float(&held)[kPieces][kWidth]) {
#pragma unroll
    for (int k = 0; k < kPieces; ++k) {
#pragma unroll
      for (int i = 0; i < kWidth; ++i) largest = fmaxf(largest, fabsf(held[k][i]));
    }
  };
  float held[kPieces][kWidth];
  read(first, held, squares);
  raise(held);
  for (int begin = first + kPieces * step; begin - first < columns; begin += kPieces * step) {
    float again[kPieces][kWidth];
    read(begin, again, squares);
    raise(again);
  }
  join_row(largest, squares, Source::kNormed);
  float norm = 1.0F;
  if constexpr (Source::kNormed) norm = 1.0F / sqrtf(squares / static_cast<float>(columns) + eps);
  // The norm's factor goes into the scale alone.
  const float factor = largest > 0.0F ? kE4m3Largest / largest : 0.0F;
  const auto out = target.row(row);
  if (threadIdx.x == 0) out.scale(largest > 0.0F ? norm * (largest / kE4m3Largest) : 0.0F);
  const auto put = [&](int begin, const float(&values)[kPieces][kWidth]) {
#pragma unroll
    for (int k = 0; k < kPieces; ++k) {
      const int column = begin + k * step;
      out.template put<kWidth>(column, values[k], factor, column < end);
    }
  };
  put(first, held);
  for (int begin = first + kPieces * step; begin - first < end; begin += kPieces * step) {
    float again[kPieces][kWidth];
    float not_wanted = 0.0F;
    read(begin, again, not_wanted);
    put(begin, again);
  }
}

// kWidth: 8, what is read lies at 16 bytes and what is written at 8; or 1.
template <int kWidth, typename Source, typename Target>
void run_quantize(const Launch& launch, const Target& target, const Source& source,
                  std::int64_t rows, std::int64_t columns, std::int64_t end, float eps = 0.0F) {
  const auto with_pieces = [&](auto count) {
    constexpr int kPieces = decltype(count)::value;
    const std::int64_t pieces = (end + kWidth * kPieces - 1) / (kWidth * kPieces);
    const std::int64_t threads =
        pieces < kMostQuantizeThreads ? (pieces + 31) / 32 * 32 : kMostQuantizeThreads;
    launch_kernel(launch, quantize_kernel<kWidth, kPieces, Source, Target>,
                  dim3(static_cast<unsigned>(rows)), dim3(static_cast<unsigned>(threads)), 0,
                  target, source, static_cast<int>(columns), static_cast<int>(end), eps);
  };
  // Few pieces end sooner, many keep more loads under way where rows are long. By columns alone, so
  // that sums of squares are added up in one order.
  constexpr std::int64_t kShortRow = 8192;
  if constexpr (kWidth == 1) {
    with_pieces(std::integral_constant<int, 8>{});
  } else if (end <= kShortRow) {
    with_pieces(std::integral_constant<int, 2>{});
  } else {
    with_pieces(std::integral_constant<int, 4>{});
  }
}

// Eight numbers times `factor`, in order.
__device__ __forceinline__ uint2 to_e4m3(const float (&values)[8], float factor) {
  std::uint32_t pairs[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    pairs[i] = floats_to_e4m3(values[2 * i] * factor, values[2 * i + 1] * factor);
  }
  return make_uint2(pairs[0] | pairs[1] << 16U, pairs[2] | pairs[3] << 16U);
}

}  // namespace hangar::cuda
