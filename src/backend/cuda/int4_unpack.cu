// Unpacking: a warp takes one block of a strip; neighbours swap words, so that each stores 16
//   bytes.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>
#include <stdexcept>

#include "backend/cuda/element_io.cuh"
#include "backend/cuda/int4_lanes.cuh"
#include "backend/cuda/int4_pack.h"
#include "backend/cuda/weights_forms.h"

namespace hangar::cuda {
namespace {

// A row's parameters, as factors of its four groups: number u is scale[g] * (u - zero[g]), or
// scale[g] * u + minimum[g], with either as other[g].
struct RowScales {
  float scale[kInt4Groups];
  float other[kInt4Groups];
};

template <Int4Form kForm>
__device__ __forceinline__ RowScales load_scales(const std::uint8_t* at) {
  RowScales row;
  if constexpr (kForm == Int4Form::kZero128) {
    const float2 both = floats_of_pair(*reinterpret_cast<const std::uint32_t*>(at));
#pragma unroll
    for (int g = 0; g < kInt4Groups; ++g) {
      row.scale[g] = both.x;
      row.other[g] = both.y;
    }
  } else if constexpr (kForm == Int4Form::kSuper32) {
    const auto* words = reinterpret_cast<const std::uint32_t*>(at);
    const float2 both = floats_of_pair(words[0]);
    const std::uint32_t scales = words[1];
    const std::uint32_t minimums = words[2];
#pragma unroll
    for (int g = 0; g < kInt4Groups; ++g) {
      row.scale[g] = forms::times(both.x, static_cast<float>(scales >> (8 * g) & 255U));
      row.other[g] = -forms::times(both.y, static_cast<float>(minimums >> (8 * g) & 255U));
    }
  } else {
    const uint4 four = *reinterpret_cast<const uint4*>(at);
    const std::uint32_t pairs[kInt4Groups] = {four.x, four.y, four.z, four.w};
#pragma unroll
    for (int g = 0; g < kInt4Groups; ++g) {
      const float2 both = floats_of_pair(pairs[g]);
      row.scale[g] = both.x;
      row.other[g] = both.y;
    }
  }
  return row;
}

// Byte i of four as a float, without a conversion: as the low bits of 2^23.
template <int kByte>
__device__ __forceinline__ float float_of_byte(std::uint32_t bytes) {
  return __uint_as_float(__byte_perm(bytes, 0x4B000000U, 0x7650U | kByte)) - 0x1p23F;
}

template <Int4Form kForm>
__device__ __forceinline__ float value_of(float u, float scale, float other) {
  if constexpr (kForm == Int4Form::kZero128 || kForm == Int4Form::kZero32) {
    return forms::times(scale, forms::plus(u, -other));
  } else {
    return forms::plus(forms::times(scale, u), other);
  }
}

template <Int4Form kForm>
__device__ __forceinline__ void values_of(std::uint32_t codes, float scale, float other,
                                          float* values) {
  values[0] = value_of<kForm>(float_of_byte<0>(codes), scale, other);
  values[1] = value_of<kForm>(float_of_byte<1>(codes), scale, other);
  values[2] = value_of<kForm>(float_of_byte<2>(codes), scale, other);
  values[3] = value_of<kForm>(float_of_byte<3>(codes), scale, other);
}

template <Int4Form kForm, typename T>
__global__ void __launch_bounds__(kInt4Threads)
    unpack_int4_kernel(Int4Grid grid, Rows<T> out, const std::uint8_t* strips) {
  begin_reading();
  const Int4Lane lane(grid);
  if (!lane.any) return;
  const std::uint8_t* block = strips + lane.block * int4_block_bytes(kForm);
  std::uint32_t words[kInt4Words];
  load_words(block, lane, words);
  const std::uint8_t* parameters = block + kInt4NumberBytes + lane.row * int4_row_bytes(kForm);
  const RowScales scales[2] = {load_scales<kForm>(parameters),
                               load_scales<kForm>(parameters + 8 * int4_row_bytes(kForm))};
  // Of each group an even lane takes the first 16 columns, an odd one the second: eight numbers
  // that lie together, from its own word and its neighbour's.
  const bool odd = lane.quad % 2 == 1;
  const int column = lane.first_group * 32 + (odd ? 16 : 0) + lane.quad / 2 * 8;
#pragma unroll
  for (int g = 0; g < kInt4Groups; ++g) {
    const std::uint32_t own = odd ? words[2 * g + 1] : words[2 * g];
    const std::uint32_t given =
        __shfl_xor_sync(0xFFFFFFFFU, odd ? words[2 * g] : words[2 * g + 1], 1);
    if (g >= lane.groups) continue;
    const std::uint32_t first = odd ? given : own;
    const std::uint32_t second = odd ? own : given;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float scale = scales[half].scale[g];
      const float other = scales[half].other[g];
      float values[kWideElements];
      values_of<kForm>(first >> (4 * half) & kNibbles, scale, other, values);
      values_of<kForm>(second >> (4 * half) & kNibbles, scale, other, values + 4);
      store<kWideElements>(out.row(lane.first_row + lane.row + 8 * half) + column + 32 * g, values);
    }
  }
}

template <Int4Form kForm>
void launch_unpack(const Launch& launch, const Activation& out, const void* strips) {
  const Int4Grid grid = int4_grid(out.rows, out.columns);
  with_type(out.dtype, [&](auto type) {
    using T = typename decltype(type)::Type;
    launch_kernel(launch, unpack_int4_kernel<kForm, T>, int4_launch_grid(grid), dim3(kInt4Threads),
                  0, grid, Rows<T>(out), static_cast<const std::uint8_t*>(strips));
  });
}

}  // namespace

void unpack_int4(const Launch& launch, Activation out, Int4Form form, const void* strips) {
  check_int4_sizes(out.rows, out.columns);
  if (out.rows == 0 || out.columns == 0) return;
  if (!wide(out, out.columns)) throw std::invalid_argument("4 bits unpacked to odd addresses");
  switch (form) {
    case Int4Form::kZero128:
      return launch_unpack<Int4Form::kZero128>(launch, out, strips);
    case Int4Form::kZero32:
      return launch_unpack<Int4Form::kZero32>(launch, out, strips);
    case Int4Form::kMin32:
      return launch_unpack<Int4Form::kMin32>(launch, out, strips);
    case Int4Form::kSuper32:
      return launch_unpack<Int4Form::kSuper32>(launch, out, strips);
  }
}

}  // namespace hangar::cuda
