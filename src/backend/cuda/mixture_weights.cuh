// How a warp of a mixture's product has a strip of 16 rows of W, by what W is of.
//
// Promise: each kind is a matrix's strip: load() brings a chunk of kColumns columns into registers,
//   its Inputs the same columns of a row of x; add() adds their product to sums, of which factor()
//   times is the result.
// Fragments: sums as mma.cuh has c; a lane's Inputs are of column lane / 4, a row of x. A lane
// takes
//   columns that lie side by side: their order in a chunk is the same in W and in x, and does not
//   matter beyond.
// Threads: device functions, of whole warps.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "backend/cuda/e4m3.cuh"
#include "backend/cuda/element_io.cuh"
#include "backend/cuda/int4_math.cuh"
#include "backend/cuda/mixture.h"
#include "backend/cuda/mma.cuh"

namespace hangar::cuda::mixture {

inline constexpr int kStrip = 16;  // rows of W

__device__ __forceinline__ int lane_id() {
  return static_cast<int>(threadIdx.x) % 32;
}

// A lane's numbers of a row of x, as plain rows of W have theirs.
template <int kSteps>
struct PlainInputs {
  uint4 of[kSteps / 2];
  template <typename T>
  __device__ __forceinline__ void load(const T* row, int column) {
    const T* from = row + column + lane_id() % 4 * (4 * kSteps);
#pragma unroll
    for (int i = 0; i < kSteps / 2; ++i) of[i] = __ldg(reinterpret_cast<const uint4*>(from) + i);
  }
  __device__ __forceinline__ std::uint32_t first(int step) const {
    return step % 2 == 0 ? of[step / 2].x : of[step / 2].z;
  }
  __device__ __forceinline__ std::uint32_t second(int step) const {
    return step % 2 == 0 ? of[step / 2].y : of[step / 2].w;
  }
};

// A lane's 16 bytes of each of its two rows of W, of rows that lie one behind the other.
template <typename Element>
class PlainStrip {
 public:
  __device__ __forceinline__ PlainStrip(const MixtureMatrix& matrix, int expert, int strip,
                                        int columns)
      : first_(static_cast<const Element*>(matrix.weights[expert]) +
               static_cast<std::int64_t>(strip * kStrip + lane_id() / 4) * columns +
               lane_id() % 4 * static_cast<int>(16 / sizeof(Element))),
        eight_rows_(std::int64_t{8} * columns) {}
  __device__ __forceinline__ void load(int column) {
    low_ = __ldg(reinterpret_cast<const uint4*>(first_ + column));
    high_ = __ldg(reinterpret_cast<const uint4*>(first_ + eight_rows_ + column));
  }

 protected:
  uint4 low_;
  uint4 high_;

 private:
  const Element* first_;
  std::int64_t eight_rows_;
};

// Rows of 16 bits.
template <typename T>
class DenseStrip : public PlainStrip<T> {
 public:
  static constexpr int kColumns = 32;
  using Inputs = PlainInputs<2>;
  using PlainStrip<T>::PlainStrip;

  __device__ __forceinline__ void add(float (&sums)[4], const Inputs& x) const {
    const std::uint32_t a[2][4] = {{low_.x, high_.x, low_.y, high_.y},
                                   {low_.z, high_.z, low_.w, high_.w}};
#pragma unroll
    for (int step = 0; step < 2; ++step) mma<T>(sums, a[step], x.first(step), x.second(step));
  }
  __device__ static __forceinline__ float factor(const MixtureMatrix& /*matrix*/, int /*expert*/,
                                                 int /*row*/, int /*row_of_strip*/) {
    return 1.0F;
  }

 private:
  using PlainStrip<T>::low_;
  using PlainStrip<T>::high_;
};

template <typename T>
__device__ __forceinline__ void spread_codes(std::uint32_t codes, std::uint32_t& first,
                                             std::uint32_t& second) {
  e4m3_to_halves(codes, first, second);
  if constexpr (std::is_same_v<T, __nv_bfloat16>) {
    const auto recode = [](std::uint32_t& both) {
      const float2 values = __half22float2(*reinterpret_cast<const __half2*>(&both));
      const __nv_bfloat162 other = __floats2bfloat162_rn(values.x, values.y);
      both = *reinterpret_cast<const std::uint32_t*>(&other);
    };
    recode(first);
    recode(second);
  }
}

// Rows of FP8, each with a scale.
template <typename T>
class Fp8Strip : public PlainStrip<std::byte> {
 public:
  static constexpr int kColumns = 64;
  using Inputs = PlainInputs<4>;
  using PlainStrip<std::byte>::PlainStrip;

  __device__ __forceinline__ void add(float (&sums)[4], const Inputs& x) const {
    const std::uint32_t low[4] = {low_.x, low_.y, low_.z, low_.w};
    const std::uint32_t high[4] = {high_.x, high_.y, high_.z, high_.w};
#pragma unroll
    for (int step = 0; step < 4; ++step) {
      std::uint32_t a[4];
      spread_codes<T>(low[step], a[0], a[2]);
      spread_codes<T>(high[step], a[1], a[3]);
      mma<T>(sums, a, x.first(step), x.second(step));
    }
  }
  __device__ static __forceinline__ float factor(const MixtureMatrix& matrix, int expert, int row,
                                                 int /*row_of_strip*/) {
    return matrix.scales[expert][row];
  }
};

// u's four bits in the low byte of a T are the number u * kLow / kX, in the high half of that byte
// 16 times it: both T's are evenly spaced there, being subnormal (or one binade above). BF16's are
// so small that x is taken times kX, a power of two: exact, but infinite from 2^64 on.
template <typename T>
struct Int4Units;
template <>
struct Int4Units<__nv_bfloat16> {
  static constexpr float kX = 0x1p64F;
  static constexpr float kLow = 0x1p-69F;
  static constexpr float kHigh = 0x1p-65F;
};
template <>
struct Int4Units<__half> {
  static constexpr float kX = 1.0F;
  static constexpr float kLow = 0x1p-24F;
  static constexpr float kHigh = 0x1p-20F;
};

// Strips of 4 bits (int4.h): u's bits are numbers as they lie.
template <typename T, int4::Layout kLayout>
class Int4Columns {
 public:
  static constexpr int kColumns = static_cast<int>(kInt4Columns);
  static constexpr int kGroups = int4::kGroups<kLayout>;
  static constexpr int kWords = 8 / kGroups;  // of a group
  using Units = Int4Units<T>;

  struct Inputs {
    std::uint32_t of[8][2];
    float2 sums[kGroups];  // of the rows of x whose sums the lane has, 2t and 2t + 1

    __device__ __forceinline__ void load(const T* row, int column) {
      const T* from = row + column + lane_id() % 4 * 4;
#pragma unroll
      for (int group = 0; group < kGroups; ++group) {
        float sum = 0.0F;
#pragma unroll
        for (int i = 0; i < kWords; ++i) {
          const int word = group * kWords + i;
          const uint2 four = __ldg(reinterpret_cast<const uint2*>(from + 16 * word));
          sum += sum_of(four.x) + sum_of(four.y);
          const std::uint32_t low = scaled(four.x);
          const std::uint32_t high = scaled(four.y);
          of[word][0] = __byte_perm(low, high, 0x5410);
          of[word][1] = __byte_perm(low, high, 0x7632);
        }
        sum += __shfl_xor_sync(~0U, sum, 1);
        sum += __shfl_xor_sync(~0U, sum, 2);
        const int first = lane_id() % 4 * 8;  // row 2t is that of lanes 4 (2t) and on
        sums[group].x = __shfl_sync(~0U, sum, first);
        sums[group].y = __shfl_sync(~0U, sum, first + 4);
      }
    }

   private:
    using Pair = std::conditional_t<std::is_same_v<T, __half>, __half2, __nv_bfloat162>;
    __device__ static __forceinline__ float sum_of(std::uint32_t both) {
      Pair pair;
      memcpy(&pair, &both, sizeof(pair));
      return to_float(T(pair.x)) + to_float(T(pair.y));
    }
    __device__ static __forceinline__ std::uint32_t scaled(std::uint32_t both) {
      if constexpr (std::is_same_v<T, __nv_bfloat16>) {
        Pair pair;
        memcpy(&pair, &both, sizeof(pair));
        pair = __hmul2(pair, __float2bfloat162_rn(Units::kX));
        memcpy(&both, &pair, sizeof(pair));
      }
      return both;
    }
  };

  __device__ __forceinline__ Int4Columns(const MixtureMatrix& matrix, int expert, int strip,
                                         int columns)
      : blocks_(static_cast<const std::byte*>(matrix.weights[expert]) +
                static_cast<std::int64_t>(strip) * (columns / kColumns) *
                    int4::kBlockBytes<kLayout>),
        zeros_(matrix.zeros) {}
  __device__ __forceinline__ void load(int column) {
    block_ = blocks_ + column / kColumns * int4::kBlockBytes<kLayout>;
    int4::load_words(block_, lane_id(), words_);
  }
  __device__ __forceinline__ void add(float (&sums)[4], const Inputs& x) const {
    constexpr std::uint32_t kLow = 0x000F000FU;
    constexpr std::uint32_t kHigh = 0x00F000F0U;
    const int4::RowParameters<kLayout> low(block_, lane_id() / 4);
    const int4::RowParameters<kLayout> high(block_, lane_id() / 4 + 8);
#pragma unroll
    for (int group = 0; group < kGroups; ++group) {
      float d[4] = {};
#pragma unroll
      for (int i = 0; i < kWords; ++i) {
        const int word = group * kWords + i;
        const std::uint32_t odd = words_[word] >> 8U;
        const std::uint32_t a[4] = {words_[word] & kLow, words_[word] & kHigh, odd & kLow,
                                    odd & kHigh};
        mma<T>(d, a, x.of[word][0], x.of[word][1]);
      }
      const int4::Parameters p = low.at(group, zeros_);
      const int4::Parameters q = high.at(group, zeros_);
      const float2 x_sums = x.sums[group];
      sums[0] += d[0] * p.scale + p.minimum * (x_sums.x * Units::kLow);
      sums[1] += d[1] * p.scale + p.minimum * (x_sums.y * Units::kLow);
      sums[2] += d[2] * q.scale + q.minimum * (x_sums.x * Units::kHigh);
      sums[3] += d[3] * q.scale + q.minimum * (x_sums.y * Units::kHigh);
    }
  }
  __device__ static __forceinline__ float factor(const MixtureMatrix& /*matrix*/, int /*expert*/,
                                                 int /*row*/, int row_of_strip) {
    return row_of_strip < 8 ? 1.0F / Units::kLow : 1.0F / Units::kHigh;
  }

 private:
  const std::byte* blocks_;
  const std::byte* block_ = nullptr;
  bool zeros_;
  std::uint32_t words_[8];
};

}  // namespace hangar::cuda::mixture
