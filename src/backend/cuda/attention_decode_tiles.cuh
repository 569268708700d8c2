// A decode run's query rows in registers, and what a warp does with them.
//
// Promise: load() brings the run's queries; prepare() makes them what keys of the cache's type are
//   multiplied by; attend() takes in a slab of keys and the slab of values behind it. RowTile has
//   up to 16 rows, ColumnTile up to 8 in half the instructions (attention_heads.cuh).
// Shapes: `packed` rows of Run are the tile's. Elements: RowTile's q[step][h + 2 i] is row g + 8 h,
//   ColumnTile's q[step][i] row g, of dims that attention_slabs.cuh says.
// Threads: all lanes of a warp together.
#pragma once

#include <cstdint>
#include <type_traits>

#include "backend/cuda/attention_heads.cuh"
#include "backend/cuda/attention_runs.cuh"
#include "backend/cuda/attention_slabs.cuh"
#include "backend/cuda/attention_state.cuh"
#include "backend/cuda/attention_tiles.cuh"

namespace hangar::cuda::attend {

// A lane's pieces of a tile's queries: kHalves rows 8 apart.
template <typename T, int kDim, int kHalves>
struct Queries {
  std::uint32_t q[kDim / 16][2 * kHalves];

  // As activations.
  __device__ __forceinline__ void load(const AttentionArguments& a, const Run& run) {
    // Of each 16 dims a lane has two pairs: 2t and 2t + 8, for codes 4t and 4t + 2 (CodeSlabs).
    constexpr int kApart = kIsFp8<T> ? 4 : 2;
    constexpr int kSecond = kIsFp8<T> ? 2 : 8;
    const int lane = threadIdx.x % 32;
    const auto* elements = static_cast<const std::uint16_t*>(a.q);
#pragma unroll
    for (int half = 0; half < kHalves; ++half) {
#pragma unroll
      for (int step = 0; step < kDim / 16; ++step) q[step][half] = q[step][half + kHalves] = 0;
      if (8 * half >= run.packed) continue;  // all lanes
      const int packed = lane / 4 + 8 * half;
      if (packed >= run.packed) continue;
      const int query = run.first_packed + packed;
      const int of_sequence = a.by_group.quotient(query);
      const std::int64_t row = run.sequence.first_row + of_sequence;
      const int head = run.kv_head * a.group + query - of_sequence * a.group;
      const std::uint16_t* from = elements + row * a.q_stride + head * kDim + kApart * (lane % 4);
#pragma unroll
      for (int step = 0; step < kDim / 16; ++step) {
        q[step][half] = *reinterpret_cast<const std::uint32_t*>(from + 16 * step);
        q[step][half + kHalves] =
            *reinterpret_cast<const std::uint32_t*>(from + 16 * step + kSecond);
      }
    }
  }
  // As elements of the cache's type.
  __device__ __forceinline__ void recode_all(bool half) {
#pragma unroll
    for (int i = 0; i < kDim / 16 * 2 * kHalves; ++i) {
      std::uint32_t& both = q[i / (2 * kHalves)][i % (2 * kHalves)];
      both = recode<T>(both, half);
    }
  }
  // A row as halves; gives what a dot product is to be multiplied by for it.
  __device__ __forceinline__ float shift_row(int row, bool half) {
    float largest = 0.0F;
#pragma unroll
    for (int i = 0; i < kDim / 8; ++i) {
      const float2 values = floats_of(q[i / 2][row + i % 2 * kHalves], half);
      largest = fmaxf(largest, fmaxf(fabsf(values.x), fabsf(values.y)));
    }
    largest = fmaxf(largest, __shfl_xor_sync(0xFFFFFFFFU, largest, 1));
    largest = fmaxf(largest, __shfl_xor_sync(0xFFFFFFFFU, largest, 2));
    const RowShift shift(largest);
#pragma unroll
    for (int i = 0; i < kDim / 8; ++i) {
      std::uint32_t& both = q[i / 2][row + i % 2 * kHalves];
      const float2 values = floats_of(both, half);
      both = pack<__half>(values.x * shift.factor, values.y * shift.factor);
    }
    return shift.inverse;
  }
};

template <typename T, int kDim>
struct RowTile : Queries<T, kDim, 2> {
  using State = TileState<kDim>;
  using Slabs = std::conditional_t<kIsFp8<T>, CodeSlabs<kDim>, ElementSlabs<T, kDim>>;

  __device__ __forceinline__ void prepare(const AttentionArguments& a, State& state) {
    if constexpr (kIsFp8<T>) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        state.row_scale[half] = a.inner_scale * this->shift_row(half, a.half);
      }
    } else {
      this->recode_all(a.half);
    }
  }
  __device__ static __forceinline__ Mask mask(const AttentionArguments& a, const Run& run) {
    return {a, run.sequence, run.first_packed, run.packed};
  }
  __device__ __forceinline__ void attend(const AttentionArguments& a, State& state,
                                         const Mask& mask, std::uint32_t keys, int token) const {
    const auto query = [&](std::uint32_t(&m)[4], int step) {
#pragma unroll
      for (int i = 0; i < 4; ++i) m[i] = this->q[step][i];
    };
    state.template attend<1>(a, mask, query, Slabs{keys, keys + kSlabBytes<T, kDim>}, token);
  }
};

template <typename T, int kDim>
struct ColumnTile : Queries<T, kDim, 1> {
  using State = ColumnState<kDim>;
  using Columns = std::conditional_t<kIsFp8<T>, CodeColumns<kDim>, ElementColumns<T, kDim>>;

  __device__ __forceinline__ void prepare(const AttentionArguments& a, State& state) {
    if constexpr (kIsFp8<T>) {
      const float scale = a.inner_scale * this->shift_row(0, a.half);
#pragma unroll
      for (int c = 0; c < 2; ++c) {  // row 2t + c is that of lanes 4 (2t + c) on
        const int lane = 4 * (2 * (static_cast<int>(threadIdx.x) % 4) + c);
        state.row_scale[c] = __shfl_sync(0xFFFFFFFFU, scale, lane);
      }
    } else {
      this->recode_all(a.half);
    }
  }
  __device__ static __forceinline__ Mask mask(const AttentionArguments& a, const Run& run) {
    const int row = static_cast<int>(threadIdx.x) % 4 * 2;
    return {a, run.sequence, run.first_packed, run.packed, row, row + 1};
  }
  __device__ __forceinline__ void attend(const AttentionArguments& a, State& state,
                                         const Mask& mask, std::uint32_t keys, int token) const {
    state.attend(a, mask, this->q, Columns{keys, keys + kSlabBytes<T, kDim>}, token);
  }
};

}  // namespace hangar::cuda::attend
