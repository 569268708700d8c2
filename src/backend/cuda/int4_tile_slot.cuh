// A warpgroup's arithmetic of 4-bit products of more than a few rows, a slot of the ring at a time.
//
// Promise: multiply_slot() adds a slot's columns to the sums of 64 rows of W by `width` rows of x,
//   once or twice ("halves"). W's numbers go from the slot to registers, as the
//   e4m3 numbers whose bits they are (int4_math.cuh), and are multiplied by 32 columns at a time;
//   each group's sums join the float sums with the group's scale. The minimums times x's sums are a
//   product of tf32 numbers, added by the matrix unit too.
// Fragments: as wgmma.cuh, of two rows of W to a thread: rows r and r + 8 of a strip; gated: row r
//   of a strip of the gate and of the other, the second warpgroup having rows r + 8.
// Threads: device functions; all 128 threads of a warpgroup call them together.
#pragma once

#include <type_traits>

#include "backend/cuda/int4_math.cuh"
#include "backend/cuda/int4_plan.h"
#include "backend/cuda/int4_tile_output.cuh"
#include "backend/cuda/wgmma.cuh"
#include "backend/cuda/wgmma_registers.cuh"

namespace hangar::cuda::int4 {

// A block by the width of its tiles of x, and the halves of a warpgroup. Wide: it has a
// multiprocessor to itself, and a warpgroup brings and leaves the others its registers. Else two
// are there at once, so that one begins while the other ends, and a warp brings.
template <int kWidth, int kHalves>
struct TileBlock {
  static constexpr bool kWide = kWidth > 64 || kHalves > 1;
  static constexpr int kAtOnce = kWide ? 1 : 2;
  static constexpr int kThreads = kTileConsumers + (kWide ? kWarpgroup : 32);
  static constexpr int kRegisters = kWide ? 168 : 112;  // of a thread, at the launch
  static constexpr int kOfBringer = 24;                 // wide, afterwards
  static constexpr int kOfConsumer = 240;
  // The next numbers are read while these are multiplied, where registers allow it.
  static constexpr bool kReadsAhead = kWide && kWidth * kHalves <= 128;
  // So many fours of groups of 128 are gathered before their minimums are added.
  static constexpr int kFours = kWidth * kHalves <= 128 ? 2 : 1;
};

#if __CUDA_ARCH__ >= 900

// A warpgroup's part of a slot, as the warp and its lanes see it.
template <Layout kLayout>
struct SlotPart {
  const std::byte* low;  // the strips of a thread's two rows
  const std::byte* high;
  int low_row;
  int high_row;
  int half_bytes;   // from a half's strips to the other's
  std::uint32_t x;  // shared addresses
  std::uint32_t x_sums;
  int first;  // block of all
  int count;  // blocks
  int begin;  // its own: the first, and how far apart they are, 1 or 2
  int step;
  bool starts;  // an item
  bool sums;    // has x's sums: always, or of groups of 128 those of whole fours, with the last

  __device__ int at(int block, int half) const {
    return half * half_bytes + block * kBlockBytes<kLayout>;
  }
};

// The operand that is multiplied by x's sums of two fours of groups: a lane has, of its two rows,
// minimum lane % 4 of each four.
struct MinimumOperand {
  float of[4];
  __device__ __forceinline__ void clear() {
#pragma unroll
    for (float& value : of) value = 0.0F;
  }
  __device__ __forceinline__ void set(int four, float low, float high) {
    of[2 * four] = wgmma::tf32(low);
    of[2 * four + 1] = wgmma::tf32(high);
  }
};

template <Layout kLayout>
__device__ __forceinline__ void set_minimums(MinimumOperand& minimums, int four,
                                             const SlotPart<kLayout>& slot, int block, int half,
                                             int group, bool zeros) {
  const int at = slot.at(block, half);
  minimums.set(four, minimum_at<kLayout>(slot.low + at, slot.low_row, group, zeros),
               minimum_at<kLayout>(slot.high + at, slot.high_row, group, zeros));
}

// Groups of 128: those of a slot's blocks are gathered until the fours are whole.
template <int kFours>
struct GatheredMinimums {
  float of[2 * kFours];

  template <Layout kLayout>
  __device__ __forceinline__ void take(const SlotPart<kLayout>& slot, int half) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const int before = slot.first % (kFours * kInt4SumFour);
#pragma unroll
    for (int four = 0; four < kFours; ++four) {
      const int block = four * kInt4SumFour + lane % 4 - before;
      float& low = of[2 * four];
      float& high = of[2 * four + 1];
      if (before == 0 || slot.starts) low = high = 0.0F;
      if (block >= slot.begin && block < slot.count &&
          ((block - slot.begin) & (slot.step - 1)) == 0) {
        const int at = slot.at(block, half);
        low = minimum_at<kLayout>(slot.low + at, slot.low_row, 0, true);
        high = minimum_at<kLayout>(slot.high + at, slot.high_row, 0, true);
      }
    }
  }
  __device__ __forceinline__ MinimumOperand operand() const {
    MinimumOperand minimums;
    minimums.clear();
#pragma unroll
    for (int four = 0; four < kFours; ++four) minimums.set(four, of[2 * four], of[2 * four + 1]);
    return minimums;
  }
};

// sums += d times the rows' scales.
template <int kCount>
__device__ __forceinline__ void add_scaled(float (&sums)[kCount], const float (&d)[kCount],
                                           float low_scale, float high_scale) {
  constexpr float kOne = 512.0F;  // u stands for u / 512 as e4m3
  const float low = low_scale * kOne;
  const float high = high_scale * kOne;
#pragma unroll
  for (int j = 0; j < kCount; j += 4) {
    sums[j] += d[j] * low;
    sums[j + 1] += d[j + 1] * low;
    sums[j + 2] += d[j + 2] * high;
    sums[j + 3] += d[j + 3] * high;
  }
}

template <int kCount>
__device__ __forceinline__ void add_minimums(float (&sums)[kCount], MinimumOperand& minimums,
                                             std::uint64_t x_sums) {
  wgmma::pin(minimums.of);
  wgmma::begin(sums);
  wgmma::add_64_tf32(sums, minimums.of, x_sums);
  wgmma::end();
  wgmma::wait(sums);
}

// What a lane reads of a block of strips, and its operand of the matrix unit.
template <bool kGated>
struct Numbers {
  std::uint32_t words[kGated ? 16 : 8];

  __device__ __forceinline__ void read(const std::byte* low, const std::byte* high, int lane) {
    load_words(low, lane, reinterpret_cast<std::uint32_t(&)[8]>(words[0]));
    if constexpr (kGated) load_words(high, lane, reinterpret_cast<std::uint32_t(&)[8]>(words[8]));
  }
  // row: of both strips, gated.
  __device__ __forceinline__ void spread(std::uint32_t (&a)[16], int row) const {
    if constexpr (kGated) {
      const int shift = row / 8 * 4;
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        a[2 * i] = words[i] >> shift & 0x0F0F0F0FU;
        a[2 * i + 1] = words[8 + i] >> shift & 0x0F0F0F0FU;
      }
    } else {
      numbers_of(words, a);
    }
  }
};

// sums += a block of W times the same columns of x, and, with minimums, those times x's sums. What
// `meanwhile` does is done while the matrix unit is busy.
template <int kWidth, bool kWithMinimums, Layout kLayout, typename Meanwhile>
__device__ __forceinline__ void multiply_block(float (&sums)[kWidth / 2], std::uint32_t (&a)[16],
                                               const SlotPart<kLayout>& slot, int block, int half,
                                               MinimumOperand* minimums, std::uint64_t x_sums,
                                               bool zeros, Meanwhile&& meanwhile) {
  constexpr int kGroupCount = kGroups<kLayout>;
  const std::uint64_t x = wgmma::descriptor(slot.x + block * kWidth * 128);
  const RowParameters<kLayout> low(slot.low + slot.at(block, half), slot.low_row);
  const RowParameters<kLayout> high(slot.high + slot.at(block, half), slot.high_row);
#pragma unroll
  for (int group = 0; group < kGroupCount; ++group) {
    const bool first = group == 0;
    float d[kWidth / 2];
    if (kWithMinimums && first) {
      wgmma::pin(sums);
      wgmma::pin(minimums->of);
    }
    wgmma::begin(a);
    if (kWithMinimums && first) wgmma::add_64_tf32(sums, minimums->of, x_sums);
#pragma unroll
    for (int i = 0; i < 4 / kGroupCount; ++i) {
      const int k = group * (4 / kGroupCount) + i;
      wgmma::multiply_64(d, a + 4 * k, x + 2 * k, i > 0);
    }
    wgmma::end();
    if (first) meanwhile();
    wgmma::wait(d);
    if (kWithMinimums && first) wgmma::pin(sums);
    add_scaled(sums, d, low.at(group, zeros).scale, high.at(group, zeros).scale);
  }
}

// sums += W x^T over a slot; `gathered`: minimums of each half, from slot to slot.
template <int kWidth, int kHalves, bool kGated, Layout kLayout, typename Gathered>
__device__ __forceinline__ void multiply_slot(float (&sums)[kHalves][kWidth / 2],
                                              Gathered (&gathered)[kHalves],
                                              const SlotPart<kLayout>& slot, bool zeros) {
  constexpr bool kReadsAhead = TileBlock<kWidth, kHalves>::kReadsAhead;
  constexpr int kFour = int4_sum_bytes(1, kWidth);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  Numbers<kGated> numbers;
  const auto read = [&](int block, int half) {
    numbers.read(slot.low + slot.at(block, half), slot.high + slot.at(block, half), lane);
  };
  const auto multiply = [&](int block, int half, MinimumOperand* minimums, std::uint64_t x_sums,
                            auto with_minimums) {
    std::uint32_t a[16];
    if constexpr (!kReadsAhead) read(block, half);
    numbers.spread(a, slot.low_row);
    multiply_block<kWidth, decltype(with_minimums)::value>(sums[half], a, slot, block, half,
                                                           minimums, x_sums, zeros, [&] {
                                                             if constexpr (!kReadsAhead) return;
                                                             if (half + 1 < kHalves)
                                                               return read(block, half + 1);
                                                             if (block + slot.step < slot.count)
                                                               read(block + slot.step, 0);
                                                           });
  };
  constexpr auto kWith = std::true_type{};
  constexpr auto kWithout = std::false_type{};
  int block = slot.begin;
  if constexpr (kGroups<kLayout> == 1) {
    const std::uint64_t x_sums =
        wgmma::fours(slot.x_sums, TileBlock<kWidth, kHalves>::kFours > 1 ? kFour : 0);
#pragma unroll
    for (int half = 0; half < kHalves; ++half) gathered[half].take(slot, half);
    if (block >= slot.count) {
      if (!slot.sums) return;
#pragma unroll
      for (int half = 0; half < kHalves; ++half) {
        MinimumOperand minimums = gathered[half].operand();
        add_minimums(sums[half], minimums, x_sums);
      }
      return;
    }
    if constexpr (kReadsAhead) read(block, 0);
    if (slot.sums) {
#pragma unroll
      for (int half = 0; half < kHalves; ++half) {
        MinimumOperand minimums = gathered[half].operand();
        multiply(block, half, &minimums, x_sums, kWith);
      }
      block += slot.step;
    }
    for (; block < slot.count; block += slot.step) {
#pragma unroll
      for (int half = 0; half < kHalves; ++half) multiply(block, half, nullptr, 0, kWithout);
    }
  } else {
    // Of a block and, if there is one, the warpgroup's next.
    if (block >= slot.count) return;
    if constexpr (kReadsAhead) read(block, 0);
    for (; block < slot.count; block += 2 * slot.step) {
      const bool more = block + slot.step < slot.count;
      const std::uint64_t x_sums =
          wgmma::fours(slot.x_sums + block * kFour, more ? slot.step * kFour : 0);
#pragma unroll
      for (int half = 0; half < kHalves; ++half) {
        MinimumOperand minimums;
        minimums.clear();
        set_minimums(minimums, 0, slot, block, half, lane % 4, zeros);
        if (more) set_minimums(minimums, 1, slot, block + slot.step, half, lane % 4, zeros);
        multiply(block, half, &minimums, x_sums, kWith);
      }
      if (!more) return;
#pragma unroll
      for (int half = 0; half < kHalves; ++half) {
        multiply(block + slot.step, half, nullptr, 0, kWithout);
      }
    }
  }
}

#endif

}  // namespace hangar::cuda::int4
