// The kernel of 4-bit products of more than 64 rows by groups of 128: without a pause.
//
// Promise: halves_kernel<gated>() is int4_matmul() in tiles of 128 rows of x and, of W, up to 4
//   strips to a warpgroup, a block of columns to a slot. x's rows are taken in two halves: while
//   the one's sums are added up the other's product is under way, and the next slot is waited for
//   and read meanwhile; where an item is a half itself (TileItems), blocks take turns so. All
//   products are waited for after every four blocks: the compiler would have each one waited for,
//   if it could not see which are under way. What is where in shared memory is known when
//   compiling: what a warp does besides multiplying is what the kernel waits for.
// Shapes: an item's blocks are a multiple of four (takes_halves(), int4_kernels.h).
// Units: sums are kept in 1 / 512, u being u / 512 as e4m3.
// Fragments: as int4_tile_slot.cuh.
// Threads: as int4_matmul().
#pragma once

#include "backend/cuda/hopper.cuh"
#include "backend/cuda/int4_bring.cuh"
#include "backend/cuda/int4_tile_slot.cuh"
#include "backend/cuda/tensor_map.h"
#include "backend/cuda/tile_items.cuh"

namespace hangar::cuda::int4 {

struct HalvesSizes {
  static constexpr int kWidth = 128;  // rows of x
  static constexpr int kStrips = 4;   // of a warpgroup, at most
  static constexpr int kTurn = 4;     // slots that are gone through without a pause
  static constexpr int kSlots = 2 * kTurn;
  static constexpr int kXBytes = kWidth * static_cast<int>(kInt4Columns);
  static constexpr int kStripBytes = kBlockBytes<Layout::kGroup128>;
  static constexpr int kSlotBytes =
      (kXBytes + 2 * kStrips * kStripBytes + kInt4Alignment - 1) / kInt4Alignment * kInt4Alignment;
  static constexpr int kFour = int4_sum_bytes(1, kWidth);
  static constexpr int kSumBytes = 2 * kFour;  // of eight groups; there are two in turn
  static constexpr int kSums = kSlots * kSlotBytes;
  static constexpr int kRoom = kSums + 2 * kSumBytes;
  static constexpr int kBytes = kRoom + kInt4RoomBytes + int4_scale_bytes(kWidth) + kInt4Alignment;
  static constexpr int kThreads = kTileConsumers + kWarpgroup;
  static constexpr int kOfBringer = 24;  // registers of a thread
  static constexpr int kOfConsumer = 240;
  static_assert(kInt4SumBlocks == 2 * kTurn);
};

struct HalvesArguments {
  std::int32_t strips = 0;  // of a warpgroup; gated: of the gate and of the other, by both
  std::int32_t blocks = 0;
  TileItems items;  // chunks: blocks
  const float* x_sums = nullptr;
  TileOutput out;
};

#if __CUDA_ARCH__ >= 900

// x's sums come with the last block of eight, or of an item.
__device__ __forceinline__ bool brings_sums(int block, int left) {
  return left == 1 || (block + 1) % kInt4SumBlocks == 0;
}

// One thread: copies, in order.
template <bool kGated>
struct HalvesProducer {
  using Sizes = HalvesSizes;
  const HalvesArguments& a;
  const CUtensorMap& weight;
  const CUtensorMap& x;
  std::uint32_t memory;
  std::uint32_t full;
  ItemWalk at;       // a chunk is a block
  int sum_turn = 0;  // 0, 1

  __device__ int block() const { return at.column_chunk(); }
  __device__ bool with_sums() const { return brings_sums(block(), a.items.chunks - at.chunk); }
  __device__ void bring_weight(int slot) const {
    const int strips = 2 * a.strips;
    // What lies outside W comes as zeros.
    expect(full + 8 * slot,
           strips * Sizes::kStripBytes + Sizes::kXBytes + (with_sums() ? Sizes::kSumBytes : 0));
    copy_box(memory + slot * Sizes::kSlotBytes + Sizes::kXBytes, &weight, full + 8 * slot,
             CacheFor::kOnce, 0, block(), at.item.tile * (kGated ? a.strips : strips), 0);
  }
  __device__ void bring_x(int slot) {
    copy_box(memory + slot * Sizes::kSlotBytes, &x, full + 8 * slot, CacheFor::kOften, 0,
             at.item.x_tile * Sizes::kWidth, block());
    if (!with_sums()) return;
    const int fours = int4_sum_fours(1, a.blocks);
    const int four = block() / kInt4SumBlocks * (kInt4SumBlocks / kInt4SumFour);
    copy_bulk(memory + Sizes::kSums + sum_turn * Sizes::kSumBytes,
              a.x_sums + (static_cast<std::int64_t>(at.item.x_tile) * fours + four) *
                             (Sizes::kWidth * kInt4SumFour),
              Sizes::kSumBytes, full + 8 * slot, CacheFor::kOften);
    sum_turn ^= 1;
  }
};

// A warpgroup's arithmetic, turn after turn.
template <bool kGated>
class HalvesConsumer {
  using Sizes = HalvesSizes;
  static constexpr int kHalf = Sizes::kWidth / 4;  // of a thread's sums

 public:
  // strips of the first slot that the warp's two rows are in; row: of the first.
  __device__ __forceinline__ HalvesConsumer(std::byte* memory, std::uint32_t full,
                                            std::uint32_t empty, const std::byte* low,
                                            const std::byte* high, int row)
      : memory_(shared_address(memory)),
        full_(full),
        empty_(empty),
        low_(low + threadIdx.x % 32 * 16),
        high_(high + threadIdx.x % 32 * 16),
        low_parameters_(low + kInt4NumberBytes + row * 4),
        high_parameters_(high + kInt4NumberBytes + (kGated ? row : row + 8) * 4),
        shift_(kGated && row >= 8 ? 4 : 0),
        quarter_(static_cast<int>(threadIdx.x) % 4) {}

  // sums += blocks [begin, begin + count), of all rows of x or of one half of them.
  template <int kCount>
  __device__ __forceinline__ void run(float (&sums)[kCount], int begin, int count, int half) {
    minimums_.clear();
    wait(0, false);
    read(0, false);
    for (int done = 0; done < count; done += Sizes::kTurn) {
      turn(sums, half, done + Sizes::kTurn < count);
      end_four(sums, half, begin + done, done + Sizes::kTurn == count);
      release(Sizes::kTurn - 1);  // its sums are read too
      upper_ ^= 1;
      parity_ ^= upper_ ^ 1;
    }
  }

 private:
  // Slot i of this turn, or of the next.
  __device__ __forceinline__ int first_slot(bool next) const {
    return (next ? upper_ ^ 1 : upper_) * Sizes::kTurn;
  }
  __device__ __forceinline__ void wait(int i, bool next) const {
    const std::uint32_t parity = next && upper_ != 0 ? parity_ ^ 1 : parity_;
    wait_for(full_ + 8 * (first_slot(next) + i), parity);
  }
  // One lane of each warp. All have read what is there: they multiply together.
  __device__ __forceinline__ void release(int i) const {
    if (threadIdx.x % 32 == 0) arrive(empty_ + 8 * (first_slot(false) + i));
  }
  __device__ __forceinline__ void read(int i, bool next) {
    const int at = first_slot(next) * Sizes::kSlotBytes + i * Sizes::kSlotBytes;
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

  // The numbers and scales of block i of the turn, which was read.
  __device__ __forceinline__ void take(int i, std::uint32_t (&a)[16], float2& scales) {
    spread(a);
    scales = make_float2(pair_of(low_pair_).x, pair_of(high_pair_).x);
    // Lane 4 r + q keeps those of block q.
    four_low_ = quarter_ == i ? low_pair_ : four_low_;
    four_high_ = quarter_ == i ? high_pair_ : four_high_;
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
  __device__ __forceinline__ void turn(float (&sums)[Sizes::kWidth / 2], int /*half*/, bool more) {
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
  // Minimums of four blocks; they are multiplied by x's sums when eight are there, or at the end.
  template <int kCount>
  __device__ __forceinline__ void end_four(float (&sums)[kCount], int half, int block, bool last) {
    const auto minimum = [](std::uint32_t pair) {
      const float2 p = pair_of(pair);
      return -p.x * p.y * (1.0F / 512.0F);
    };
    const bool second = block % kInt4SumBlocks != 0;
    if (second) {
      minimums_.set(1, minimum(four_low_), minimum(four_high_));
    } else {
      minimums_.set(0, minimum(four_low_), minimum(four_high_));
    }
    if (!second && !last) return;
    const std::uint32_t at =
        memory_ + Sizes::kSums + sum_turn_ * Sizes::kSumBytes + half * (Sizes::kFour / 2);
    add_minimums(sums, minimums_, wgmma::fours(at, Sizes::kFour));
    minimums_.clear();
    sum_turn_ ^= 1;
  }

  const std::uint32_t memory_;
  const std::uint32_t full_;
  const std::uint32_t empty_;
  const std::byte* const low_;
  const std::byte* const high_;
  const std::byte* const low_parameters_;
  const std::byte* const high_parameters_;
  const int shift_;
  const int quarter_;
  int upper_ = 0;  // the turn's slots are the second four
  std::uint32_t parity_ = 0;
  int sum_turn_ = 0;
  std::uint32_t words_[kGated ? 16 : 8];  // of the block that is next
  std::uint32_t low_pair_ = 0;
  std::uint32_t high_pair_ = 0;
  std::uint32_t four_low_ = 0;
  std::uint32_t four_high_ = 0;
  MinimumOperand minimums_;
};

#endif

template <bool kGated>
__global__ void __launch_bounds__(HalvesSizes::kThreads, 1)
    halves_kernel(const __grid_constant__ CUtensorMap weights,
                  const __grid_constant__ CUtensorMap x,
                  const __grid_constant__ HalvesArguments a) {
#if __CUDA_ARCH__ >= 900
  using Sizes = HalvesSizes;
  extern __shared__ std::byte dynamic[];
  __shared__ __align__(8) std::uint64_t barriers[2 * Sizes::kSlots];
  const std::uint32_t begin = shared_address(dynamic);
  const std::uint32_t offset = (kInt4Alignment - begin % kInt4Alignment) % kInt4Alignment;
  std::byte* const memory = dynamic + offset;
  const std::uint32_t full = shared_address(barriers);
  const std::uint32_t empty = full + 8 * Sizes::kSlots;
  const int warp = __shfl_sync(~0U, static_cast<int>(threadIdx.x) / 32, 0);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  if (threadIdx.x == kTileConsumers) {
    for (int i = 0; i < Sizes::kSlots; ++i) {
      init_barrier(full + 8 * i);
      init_barrier(empty + 8 * i, kConsumerWarps);
    }
    publish_barriers();
    prefetch_map(&weights);
    prefetch_map(&x);
  }
  __syncthreads();
  cudaTriggerProgrammaticLaunchCompletion();
  const int number = static_cast<int>(blockIdx.x);
  const int items = items_of_block(a.items);
  if (warp >= kConsumerWarps) {
    give_registers<Sizes::kOfBringer>();
    if (threadIdx.x == kTileConsumers) {
      bring_all(HalvesProducer<kGated>{a, weights, x, begin + offset, full, ItemWalk(a.items)},
                Sizes::kSlots, empty, items * a.items.chunks);
    }
    return;
  }
  take_registers<Sizes::kOfConsumer>();
  const int group = warp / 4;
  // Gated: a gate's and an up's strip, of which the second warpgroup has rows 8 to 15. Warps beyond
  // the strips repeat the first.
  const int strip = warp % 4 < a.strips ? warp % 4 : 0;
  const std::byte* const low =
      memory + Sizes::kXBytes + ((kGated ? 0 : group * a.strips) + strip) * Sizes::kStripBytes;
  const std::byte* const high = kGated ? low + a.strips * Sizes::kStripBytes : low;
  HalvesConsumer<kGated> consumer(memory, full, empty, low, high,
                                  lane / 4 + (kGated ? 8 * group : 0));
  const OutputRooms<Sizes::kWidth> rooms(memory + Sizes::kRoom, warp);
  cudaGridDependencySynchronize();  // x's scales; and others may read y still
  for (int i = 0; i < items; ++i) {
    const Item of(a.items, number + i * static_cast<int>(gridDim.x));
    ask_scales(a.out, of.x_tile * Sizes::kWidth, rooms);
    const auto work = [&]<int kCount>(float(&sums)[kCount]) {
      consumer.run(sums, of.first, a.items.chunks, of.half);
      if (warp % 4 >= a.strips) return;
      const int at = kGated ? of.tile * a.strips + strip : (2 * of.tile + group) * a.strips + strip;
      const int first = of.half * (Sizes::kWidth / 2);
      put_sums<2 * kCount, kGated, 512>(
          sums, a.out, of.x_tile * Sizes::kWidth + first, first,
          at * static_cast<int>(kInt4Strip) + (kGated ? 8 * group : 0), rooms);
    };
    if (of.halved) {
      float sums[Sizes::kWidth / 4] = {};
      work(sums);
    } else {
      float sums[Sizes::kWidth / 2] = {};
      work(sums);
    }
  }
#endif
}

template <bool kGated>
void launch_halves(const Launch& launch, const Product& product, const Int4Way& way,
                   const Int4Plan& plan) {
  using Sizes = HalvesSizes;
  HalvesArguments a;
  a.strips = way.strips;
  a.blocks = plan.blocks;
  a.items = {plan.tiles, plan.x_tiles, way.split, plan.blocks / way.split};
  a.items.halve_last(launch.processors);
  a.x_sums = product.x_sums;
  a.out = TileOutput(product);
  const CUtensorMap weight =
      strip_boxes(product.weight, product.outputs / kInt4Strip, plan.blocks, Sizes::kStripBytes,
                  kGated ? int4_bytes(*product.int4, product.outputs, product.columns) : 0,
                  kGated ? way.strips : 2 * way.strips, 1);
  const CUtensorMap x = matrix_boxes(product.x, product.rows, plan.blocks * kInt4Columns,
                                     product.x_stride, Sizes::kWidth, 1);
  const auto kernel = halves_kernel<kGated>;
  HANGAR_CUDA(
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, Sizes::kBytes));
  const int blocks = std::min(launch.processors, a.items.count());
  launch_kernel(launch, kernel, dim3(static_cast<unsigned>(blocks)), dim3(Sizes::kThreads),
                static_cast<std::size_t>(Sizes::kBytes), weight, x, a);
}

}  // namespace hangar::cuda::int4
