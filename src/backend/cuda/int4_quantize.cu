// Quantizing: a warp makes one block of a strip; four lanes join in what is theirs of two rows.
#include <cuda_fp16.h>

#include <cstdint>
#include <stdexcept>

#include "backend/cuda/element_io.cuh"
#include "backend/cuda/int4_lanes.cuh"
#include "backend/cuda/int4_pack.h"

namespace hangar::cuda {
namespace {

constexpr float kLargestCode = 15.0F;
constexpr float kLargestFactor = 63.0F;  // of kSuper32's bytes
constexpr float kLargestHalf = 65504.0F;

// Four numbers that lie together.
template <typename X>
__device__ __forceinline__ float4 load_four(const X* from) {
  if constexpr (sizeof(X) == sizeof(float)) {
    return *reinterpret_cast<const float4*>(from);
  } else {
    const uint2 bits = *reinterpret_cast<const uint2*>(from);
    X four[4];
    memcpy(static_cast<void*>(four), &bits, sizeof(bits));
    return {to_float(four[0]), to_float(four[1]), to_float(four[2]), to_float(four[3])};
  }
}

__device__ __forceinline__ float hold(float value, float low, float high) {
  return fminf(fmaxf(value, low), high);
}
// To F16, at most its largest: below as above.
__device__ __forceinline__ __half to_half(float value) {
  return __float2half_rn(hold(value, -kLargestHalf, kLargestHalf));
}

struct Range {
  float low;
  float high;
};

// Of words [first, first + count) of the four lanes that share a row.
template <int kCount>
__device__ __forceinline__ Range range_of(const float4 (&values)[kInt4Words], int first) {
  Range range{values[first].x, values[first].x};
#pragma unroll
  for (int i = 0; i < kCount; ++i) {
    const float4 v = values[first + i];
    range.low = fminf(fminf(fminf(range.low, v.x), fminf(v.y, v.z)), v.w);
    range.high = fmaxf(fmaxf(fmaxf(range.high, v.x), fmaxf(v.y, v.z)), v.w);
  }
#pragma unroll
  for (int offset = 1; offset < 4; offset *= 2) {
    range.low = fminf(range.low, __shfl_xor_sync(0xFFFFFFFFU, range.low, offset));
    range.high = fmaxf(range.high, __shfl_xor_sync(0xFFFFFFFFU, range.high, offset));
  }
  return range;
}

// u of x: rounded (x - minimum) / scale, plus zero.
struct Codes {
  float scale = 0.0F;
  float minimum = 0.0F;
  float zero = 0.0F;

  __device__ __forceinline__ std::uint32_t of(float x) const {
    if (scale == 0.0F) return 0;
    return static_cast<std::uint32_t>(
        hold(rintf((x - minimum) / scale) + zero, 0.0F, kLargestCode));
  }
  __device__ __forceinline__ std::uint32_t of(float4 x) const {
    return of(x.x) | (of(x.y) << 8U) | (of(x.z) << 16U) | (of(x.w) << 24U);
  }
};

// A row's parameters in a block, as they lie.
struct RowWords {
  std::uint32_t words[kInt4Groups];
};

__device__ __forceinline__ std::uint32_t with_zero(Range range, Codes& codes) {
  range.low = fminf(range.low, 0.0F);
  range.high = fmaxf(range.high, 0.0F);
  const __half scale = to_half((range.high - range.low) / kLargestCode);
  codes.scale = __half2float(scale);
  if (codes.scale > 0.0F) {
    codes.zero = hold(rintf((0.0F - range.low) / codes.scale), 0.0F, kLargestCode);
  }
  return pair_of(scale, __float2half_rn(codes.zero));
}

__device__ __forceinline__ std::uint32_t with_minimum(Range range, Codes& codes) {
  const __half minimum = to_half(range.low + 0.0F);  // no negative zero
  codes.minimum = __half2float(minimum);
  const __half scale = to_half(fmaxf(range.high - codes.minimum, 0.0F) / kLargestCode);
  codes.scale = __half2float(scale);
  return pair_of(scale, minimum);
}

// A scale of bytes: so that the largest of the values has kLargestFactor.
__device__ __forceinline__ __half unit_of(const float (&values)[kInt4Groups]) {
  const float largest = fmaxf(fmaxf(values[0], values[1]), fmaxf(values[2], values[3]));
  return to_half(largest / kLargestFactor);
}
__device__ __forceinline__ float factor_of(float value, float unit) {
  return unit == 0.0F ? 0.0F : hold(rintf(value / unit), 0.0F, kLargestFactor);
}

__device__ __forceinline__ RowWords with_factors(const Range (&ranges)[kInt4Groups],
                                                 Codes (&codes)[kInt4Groups]) {
  float scales[kInt4Groups];
  float depths[kInt4Groups];  // minimums, negated
#pragma unroll
  for (int g = 0; g < kInt4Groups; ++g) {
    const float low = fminf(ranges[g].low, 0.0F);
    depths[g] = 0.0F - low;
    scales[g] = fmaxf(ranges[g].high - low, 0.0F) / kLargestCode;
  }
  const __half scale = unit_of(scales);
  const __half depth = unit_of(depths);
  RowWords row{{pair_of(scale, depth), 0, 0, 0}};
#pragma unroll
  for (int g = 0; g < kInt4Groups; ++g) {
    const float s = factor_of(scales[g], __half2float(scale));
    const float m = factor_of(depths[g], __half2float(depth));
    row.words[1] |= static_cast<std::uint32_t>(s) << (8 * g);
    row.words[2] |= static_cast<std::uint32_t>(m) << (8 * g);
    codes[g].scale = __half2float(scale) * s;
    codes[g].minimum = -(__half2float(depth) * m);
  }
  return row;
}

// Of a row's share in a lane: its parameters, and its codes, a byte each.
template <Int4Form kForm>
__device__ __forceinline__ RowWords quantize_row(const float4 (&values)[kInt4Words],
                                                 std::uint32_t (&bytes)[kInt4Words]) {
  RowWords row{};
  Codes codes[kInt4Groups];
  if constexpr (kForm == Int4Form::kZero128) {
    row.words[0] = with_zero(range_of<kInt4Words>(values, 0), codes[0]);
#pragma unroll
    for (int g = 1; g < kInt4Groups; ++g) codes[g] = codes[0];
  } else {
    Range ranges[kInt4Groups];
#pragma unroll
    for (int g = 0; g < kInt4Groups; ++g) ranges[g] = range_of<2>(values, 2 * g);
    if constexpr (kForm == Int4Form::kSuper32) {
      row = with_factors(ranges, codes);
    } else {
#pragma unroll
      for (int g = 0; g < kInt4Groups; ++g) {
        row.words[g] = kForm == Int4Form::kZero32 ? with_zero(ranges[g], codes[g])
                                                  : with_minimum(ranges[g], codes[g]);
      }
    }
  }
#pragma unroll
  for (int word = 0; word < kInt4Words; ++word) bytes[word] = codes[word / 2].of(values[word]);
  return row;
}

template <Int4Form kForm, typename X>
__global__ void __launch_bounds__(kInt4Threads)
    quantize_int4_kernel(Int4Grid grid, std::uint8_t* strips, Rows<const X> x) {
  begin_reading();
  const Int4Lane lane(grid);
  if (!lane.any) return;
  std::uint8_t* block = strips + lane.block * int4_block_bytes(kForm);
  std::uint32_t words[kInt4Words] = {};
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int row = lane.row + 8 * half;
    const X* from = x.row(lane.first_row + row) + lane.first_group * 32 + 4 * lane.quad;
    float4 values[kInt4Words];
#pragma unroll
    for (int word = 0; word < kInt4Words; ++word) {
      values[word] = word / 2 < lane.groups ? load_four(from + 16 * word) : float4{0, 0, 0, 0};
    }
    std::uint32_t bytes[kInt4Words];
    const RowWords parameters = quantize_row<kForm>(values, bytes);
#pragma unroll
    for (int word = 0; word < kInt4Words; ++word) {
      if (word / 2 < lane.groups) words[word] |= bytes[word] << (4 * half);
    }
    auto* out =
        reinterpret_cast<std::uint32_t*>(block + kInt4NumberBytes + row * int4_row_bytes(kForm));
    constexpr int kRowWords = static_cast<int>(int4_row_bytes(kForm)) / 4;
#pragma unroll
    for (int i = 0; i < kRowWords; ++i) {
      if (lane.quad == i) out[i] = parameters.words[i];
    }
  }
  store_words(block, lane, words);
}

template <Int4Form kForm>
void launch_quantize(const Launch& launch, void* strips, const Activation& x) {
  const Int4Grid grid = int4_grid(x.rows, x.columns);
  with_type(x.dtype, [&](auto type) {
    using X = typename decltype(type)::Type;
    launch_kernel(launch, quantize_int4_kernel<kForm, X>, int4_launch_grid(grid),
                  dim3(kInt4Threads), 0, grid, static_cast<std::uint8_t*>(strips),
                  Rows<const X>(x));
  });
}

}  // namespace

void quantize_int4(const Launch& launch, Int4Form form, void* strips, Activation x) {
  check_int4_sizes(x.rows, x.columns);
  if (x.rows == 0 || x.columns == 0) return;
  if (!wide(x, x.columns)) throw std::invalid_argument("4 bits made of numbers at odd addresses");
  switch (form) {
    case Int4Form::kZero128:
      return launch_quantize<Int4Form::kZero128>(launch, strips, x);
    case Int4Form::kZero32:
      return launch_quantize<Int4Form::kZero32>(launch, strips, x);
    case Int4Form::kMin32:
      return launch_quantize<Int4Form::kMin32>(launch, strips, x);
    case Int4Form::kSuper32:
      return launch_quantize<Int4Form::kSuper32>(launch, strips, x);
  }
}

}  // namespace hangar::cuda
