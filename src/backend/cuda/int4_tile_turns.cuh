// A warpgroup's arithmetic of 4-bit products by groups of 128, of more than 32 rows: without a
// pause.
//
// Promise: HalvesConsumer::run() adds an item's blocks of columns, each in a slot of its own, to a
//   warpgroup's sums, in two halves: of 128 rows of x, by 4 strips, those rows'; of 64 rows, by up
//   to 8 strips (two sets of 4), those strips'. While the one's sums are added up the other's
//   product is under way, and the next numbers are waited for and read meanwhile; by one half alone
//   blocks take turns so. All products are waited for after every four blocks: the compiler would
//   have each one waited for, if it could not see which are under way. What is where in shared
//   memory is known when compiling: what a warp does besides multiplying is what the kernel waits
//   for.
// Units: sums are kept in 1 / 512, u being u / 512 as e4m3.
// Fragments: as int4_tile_slot.cuh.
// Threads: device functions; all 128 threads of a warpgroup call them together.
#pragma once

#include "backend/cuda/hopper.cuh"
#include "backend/cuda/int4_tile_slot.cuh"

namespace hangar::cuda::int4 {

// kTileWidth: rows of x, 64 or 128. kStripSets: of 4 strips of a warpgroup; 2 of 64 rows only.
template <int kTileWidth, int kStripSets>
struct HalvesSizes {
  static constexpr int kWidth = kTileWidth;
  static constexpr int kSets = kStripSets;
  static constexpr bool kHalvesLast = kWidth == kMostInt4TileRows;  // tiles (TileItems)
  static constexpr int kStrips = 4 * kSets;                         // of a warpgroup, at most
  static constexpr int kTurn = 4;  // slots that are gone through without a pause
  static constexpr int kTurns = kWidth == 64 && kSets == 1 ? 3 : 2;
  static constexpr int kSlots = kTurns * kTurn;
  static constexpr int kXBytes = kWidth * static_cast<int>(kInt4Columns);
  static constexpr int kStripBytes = kBlockBytes<Layout::kGroup128>;
  static constexpr int kSlotBytes =
      (kXBytes + 2 * kStrips * kStripBytes + kInt4Alignment - 1) / kInt4Alignment * kInt4Alignment;
  static constexpr int kFour = int4_sum_bytes(1, kWidth);
  static constexpr int kSumBytes = 2 * kFour;  // of eight groups; there are kTurns in turn
  static constexpr int kSums = kSlots * kSlotBytes;
  static constexpr int kRoom = kSums + kTurns * kSumBytes;
  static constexpr int kBytes = kRoom + kInt4RoomBytes + int4_scale_bytes(kWidth) + kInt4Alignment;
  static constexpr int kThreads = kTileConsumers + kWarpgroup;
  static constexpr int kOfBringer = 24;  // registers of a thread
  static constexpr int kOfConsumer = 240;
  static_assert(kInt4SumBlocks == 2 * kTurn);
};

#if __CUDA_ARCH__ >= 900

// A warpgroup's arithmetic, turn after turn.
template <bool kGated, typename Sizes>
class HalvesConsumer {
  static constexpr int kHalf = 32;  // of a thread's sums

 public:
  // strips of the first slot that the warp's two rows are in; row: of the first; set_bytes: from
  // there to the second set's.
  __device__ __forceinline__ HalvesConsumer(std::byte* memory, std::uint32_t full,
                                            std::uint32_t empty, const std::byte* low,
                                            const std::byte* high, int row, int set_bytes)
      : memory_(shared_address(memory)),
        full_(full),
        empty_(empty),
        low_(low + threadIdx.x % 32 * 16),
        high_(high + threadIdx.x % 32 * 16),
        low_parameters_(low + kInt4NumberBytes + row * 4),
        high_parameters_(high + kInt4NumberBytes + (kGated ? row : row + 8) * 4),
        shift_(kGated && row >= 8 ? 4 : 0),
        set_bytes_(set_bytes),
        quarter_(static_cast<int>(threadIdx.x) % 4) {}

  // sums += blocks [begin, begin + count). Sums: of a half, [kHalf]; of both halves of x's rows, [2
  // kHalf]; of both sets of strips, [2][kHalf].
  template <typename Sums>
  __device__ __forceinline__ void run(Sums& sums, int begin, int count, int half) {
    for (MinimumOperand& minimums : minimums_) minimums.clear();
    wait(0, false);
    read(0, false);
    for (int done = 0; done < count; done += Sizes::kTurn) {
      turn(sums, half, done + Sizes::kTurn < count);
      end_four(sums, half, begin + done, done + Sizes::kTurn == count);
      release(Sizes::kTurn - 1);  // its sums are read too
      parity_ ^= last_turn() ? 1 : 0;
      turn_ = next_turn();
    }
  }

 private:
  __device__ __forceinline__ bool last_turn() const { return turn_ + 1 == Sizes::kTurns; }
  __device__ __forceinline__ int next_turn() const { return last_turn() ? 0 : turn_ + 1; }
  // Slot i of this turn, or of the next.
  __device__ __forceinline__ int first_slot(bool next) const {
    return (next ? next_turn() : turn_) * Sizes::kTurn;
  }
  __device__ __forceinline__ void wait(int i, bool next) const {
    const std::uint32_t parity = next && last_turn() ? parity_ ^ 1 : parity_;
    wait_for(full_ + 8 * (first_slot(next) + i), parity);
  }
  // All lanes have read what is there: they multiply together.
  __device__ __forceinline__ void release(int i) const {
    arrive_warp(empty_ + 8 * (first_slot(false) + i));
  }
  __device__ __forceinline__ void read(int i, bool next, int set = 0) {
    const int at = (first_slot(next) + i) * Sizes::kSlotBytes + set * set_bytes_;
#pragma unroll
    for (int piece = 0; piece < 2; ++piece) {
      put_four(4 * piece, low_ + at + piece * 512);
      if constexpr (kGated) put_four(8 + 4 * piece, high_ + at + piece * 512);
    }
    low_pair_ = *reinterpret_cast<const std::uint32_t*>(low_parameters_ + at);
    high_pair_ = *reinterpret_cast<const std::uint32_t*>(high_parameters_ + at);
  }
  __device__ __forceinline__ void put_four(int to, const std::byte* from) {
    const uint4 four = *reinterpret_cast<const uint4*>(from);
    words_[to] = four.x;
    words_[to + 1] = four.y;
    words_[to + 2] = four.z;
    words_[to + 3] = four.w;
  }
  __device__ __forceinline__ void spread(std::uint32_t (&a)[16]) const {
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      a[2 * i] = (kGated ? words_[i] >> shift_ : words_[i]) & 0x0F0F0F0FU;
      a[2 * i + 1] = (kGated ? words_[8 + i] >> shift_ : words_[i] >> 4U) & 0x0F0F0F0FU;
    }
  }
  __device__ __forceinline__ static void begin_product(float (&d)[kHalf], std::uint32_t (&of)[16],
                                                       std::uint64_t x) {
    wgmma::pin(d);
    wgmma::begin(of);
#pragma unroll
    for (int k = 0; k < 4; ++k) wgmma::multiply_64(d, of + 4 * k, x + 2 * k, k > 0);
    wgmma::end();
  }
  template <int kFirst, int kCount>
  __device__ __forceinline__ static void add(float (&sums)[kCount], const float (&d)[kHalf],
                                             const float2& scales) {
#pragma unroll
    for (int j = 0; j < kHalf; ++j) {
      sums[kFirst + j] += d[j] * (j % 4 < 2 ? scales.x : scales.y);
    }
  }

  // The numbers and scales of a set of block i of the turn, which was read.
  __device__ __forceinline__ void take(int i, std::uint32_t (&a)[16], float2& scales, int set = 0) {
    spread(a);
    scales = make_float2(pair_of(low_pair_).x, pair_of(high_pair_).x);
    // Lane 4 r + q keeps those of block q.
    four_low_[set] = quarter_ == i ? low_pair_ : four_low_[set];
    four_high_[set] = quarter_ == i ? high_pair_ : four_high_[set];
  }
  // more: another turn of the item follows.
  __device__ __forceinline__ void read_next(int i, bool more) {
    if (i + 1 < Sizes::kTurn) {
      wait(i + 1, false);
      read(i + 1, false);
    } else if (more) {
      wait(0, true);
      read(0, true);
    }
  }
  __device__ __forceinline__ std::uint64_t x_of_turn() const {
    return wgmma::descriptor(memory_ + first_slot(false) * Sizes::kSlotBytes);
  }

  // Four blocks by a half of x.
  __device__ __forceinline__ void turn(float (&sums)[kHalf], int half, bool more) {
    float d[2][kHalf];
    std::uint32_t a[2][16];
    float2 scales[2];
    const std::uint64_t x_begin = x_of_turn() + half * (Sizes::kXBytes / 2 / 16);
#pragma unroll
    for (int i = 0; i < Sizes::kTurn; ++i) {
      const int now = i % 2;
      take(i, a[now], scales[now]);
      begin_product(d[now], a[now], x_begin + i * (Sizes::kSlotBytes / 16));
      read_next(i, more);
      if (i == 0) continue;
      wgmma::wait_but_one(d[1 - now]);
      release(i - 1);
      add<0>(sums, d[1 - now], scales[1 - now]);
    }
    constexpr int kLast = (Sizes::kTurn - 1) % 2;
    wgmma::wait(d[kLast]);
    add<0>(sums, d[kLast], scales[kLast]);
  }
  // By all of it.
  __device__ __forceinline__ void turn(float (&sums)[2 * kHalf], int /*half*/, bool more) {
    float first[kHalf];
    float second[kHalf];
    std::uint32_t a[2][16];
    float2 scales[2];
    const std::uint64_t x_begin = x_of_turn();
#pragma unroll
    for (int i = 0; i < Sizes::kTurn; ++i) {
      const int now = i % 2;
      const std::uint64_t x = x_begin + i * (Sizes::kSlotBytes / 16);
      take(i, a[now], scales[now]);
      begin_product(first, a[now], x);
      read_next(i, more);
      if (i > 0) {
        wgmma::wait_but_one(second);
        release(i - 1);
        add<kHalf>(sums, second, scales[1 - now]);
      }
      begin_product(second, a[now], x + Sizes::kXBytes / 2 / 16);
      wgmma::wait_but_one(first);
      add<0>(sums, first, scales[now]);
    }
    wgmma::wait(second);
    add<kHalf>(sums, second, scales[(Sizes::kTurn - 1) % 2]);
  }
  // Of both sets of strips.
  __device__ __forceinline__ void turn(float (&sums)[2][kHalf], int /*half*/, bool more) {
    float d[2][kHalf];
    std::uint32_t a[2][16];
    float2 scales[2];
    const std::uint64_t x_begin = x_of_turn();
#pragma unroll
    for (int i = 0; i < Sizes::kTurn; ++i) {
      const std::uint64_t x = x_begin + i * (Sizes::kSlotBytes / 16);
      take(i, a[0], scales[0], 0);
      begin_product(d[0], a[0], x);
      read(i, false, 1);
      if (i > 0) {
        wgmma::wait_but_one(d[1]);
        release(i - 1);
        add<0>(sums[1], d[1], scales[1]);
      }
      take(i, a[1], scales[1], 1);
      begin_product(d[1], a[1], x);
      read_next(i, more);
      wgmma::wait_but_one(d[0]);
      add<0>(sums[0], d[0], scales[0]);
    }
    wgmma::wait(d[1]);
    add<0>(sums[1], d[1], scales[1]);
  }
  // Minimums of four blocks; they are multiplied by x's sums when eight are there, or at the end.
  template <typename Sums>
  __device__ __forceinline__ void end_four(Sums& sums, int half, int block, bool last) {
    const auto minimum = [](std::uint32_t pair) {
      const float2 p = pair_of(pair);
      return -p.x * p.y * (1.0F / 512.0F);
    };
    const bool second = block % kInt4SumBlocks != 0;
#pragma unroll
    for (int set = 0; set < Sizes::kSets; ++set) {
      const float low = minimum(four_low_[set]);
      const float high = minimum(four_high_[set]);
      if (second) {
        minimums_[set].set(1, low, high);
      } else {
        minimums_[set].set(0, low, high);
      }
    }
    if (!second && !last) return;
    const std::uint64_t x_sums = wgmma::fours(
        memory_ + Sizes::kSums + sum_turn_ * Sizes::kSumBytes + half * (Sizes::kFour / 2),
        Sizes::kFour);
    if constexpr (Sizes::kSets == 1) {
      add_minimums(sums, minimums_[0], x_sums);
    } else {
#pragma unroll
      for (int set = 0; set < Sizes::kSets; ++set) {
        add_minimums(sums[set], minimums_[set], x_sums);
      }
    }
    for (MinimumOperand& minimums : minimums_) minimums.clear();
    sum_turn_ = sum_turn_ + 1 == Sizes::kTurns ? 0 : sum_turn_ + 1;
  }

  const std::uint32_t memory_;
  const std::uint32_t full_;
  const std::uint32_t empty_;
  const std::byte* const low_;
  const std::byte* const high_;
  const std::byte* const low_parameters_;
  const std::byte* const high_parameters_;
  const int shift_;
  const int set_bytes_;
  const int quarter_;
  int turn_ = 0;
  std::uint32_t parity_ = 0;
  int sum_turn_ = 0;
  std::uint32_t words_[kGated ? 16 : 8];  // of the block that is next
  std::uint32_t low_pair_ = 0;
  std::uint32_t high_pair_ = 0;
  std::uint32_t four_low_[Sizes::kSets] = {};
  std::uint32_t four_high_[Sizes::kSets] = {};
  MinimumOperand minimums_[Sizes::kSets];
};

#endif

}  // namespace hangar::cuda::int4
