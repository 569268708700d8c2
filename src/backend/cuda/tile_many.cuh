// Tile products of many rows in 8 bits, and their launch.
//
// Promise: launch_many() is tile_matmul() for ways with takes_many(). Each warpgroup has 64 of a
//   tile's rows of W by 128 of x. Three of them do a slot in one go: its product, then, while the
//   two others' keep the matrix units busy, its sums are added up in float32; so none needs
//   registers for a second product, and x is read for 192 rows of W. Two have two slots under way.
//   Weights is what of W is beside its numbers: RowWeights (a scale for each row) or GroupWeights
//   (one for each group of 128 columns, int4_copy.h).
// Threads: as tile_matmul().
#pragma once

#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include "backend/cuda/tile_kernel.cuh"

namespace hangar::cuda::tiles {

struct RowWeights {
  static constexpr bool kGrouped = false;
};
struct GroupWeights {
  static constexpr bool kGrouped = true;
  const std::uint16_t* scales = nullptr;
  std::int32_t stride = 0;  // of a row of them
};

template <int kOfThem>
struct Warpgroups {
  static constexpr int kCount = kOfThem;
  static constexpr int kWidth = kWidestTile;
  static constexpr int kRows = 64 * kCount;
  static constexpr int kSlots = many_slots(kRows);
  static constexpr int kConsumers = kCount * kWarpgroup;
  static constexpr int kWarps = kConsumers / 32;
  static constexpr int kThreads = kConsumers + kWarpgroup;
  static constexpr int kOfBringer = kCount == 3 ? 32 : 24;  // registers of a thread
  static constexpr int kOfConsumer = kCount == 3 ? 160 : 240;
  static constexpr int kSlotBytes = (kRows + kWidth) * kTileBoxBytes;
  static_assert(many_room_bytes(kRows) == kWarps * kOutputRoom * static_cast<int>(sizeof(float)));
};

#if __CUDA_ARCH__ >= 900

// How a slot's product joins the sums: as it is, or times its rows' scales. ask() brings those of
// the four slots from `slot` on, long before: they come from far.
struct PlainJoin {
  struct Factors {};
  __device__ __forceinline__ Factors ask(int /*slot*/) const { return {}; }
  template <int kCount>
  __device__ __forceinline__ static void join(float (&sums)[kCount], const float (&part)[kCount],
                                              Factors /*none*/, int /*slot*/) {
#pragma unroll
    for (int k = 0; k < kCount; ++k) sums[k] += part[k];
  }
};
struct ScaledJoin {
  struct Factors {
    uint2 low;  // F16, of a thread's two rows
    uint2 high;
  };
  const std::uint16_t* low;
  const std::uint16_t* high;

  template <bool kGated>
  __device__ __forceinline__ static ScaledJoin of(const TileArguments& a, const GroupWeights& w,
                                                  const Place& place, const Item& item) {
    const int first = place.first_row(a, item.tile);
    const int row = static_cast<int>(threadIdx.x) % 32 / 4;
    const int last = a.y.outputs - 1;  // rows behind it have any
    const int low = min(kGated ? first / 2 + row : first + row, last);
    const int high = kGated ? a.y.outputs + low : min(low + 8, last);
    const std::uint16_t* begin = w.scales + item.first;
    return {begin + std::int64_t{low} * w.stride, begin + std::int64_t{high} * w.stride};
  }
  __device__ __forceinline__ Factors ask(int slot) const {
    return {__ldg(reinterpret_cast<const uint2*>(low + slot)),
            __ldg(reinterpret_cast<const uint2*>(high + slot))};
  }
  // slot: of the four.
  __device__ __forceinline__ static float of_slot(uint2 four, int slot) {
    const std::uint32_t two = slot < 2 ? four.x : four.y;
    const auto bits = static_cast<unsigned short>(slot % 2 == 0 ? two & 0xFFFFU : two >> 16U);
    return __half2float(__ushort_as_half(bits));
  }
  template <int kCount>
  __device__ __forceinline__ static void join(float (&sums)[kCount], const float (&part)[kCount],
                                              const Factors& factors, int slot) {
    const float low = of_slot(factors.low, slot);
    const float high = of_slot(factors.high, slot);
#pragma unroll
    for (int k = 0; k < kCount; ++k) sums[k] = __fmaf_rn(part[k], k % 4 < 2 ? low : high, sums[k]);
  }
};

// A warpgroup's way through an item's slots.
template <typename Op, typename Groups>
class Slots {
 public:
  // x_row: of a slot, the first that is multiplied.
  __device__ __forceinline__ Slots(Ring& ring, int group, int x_row)
      : ring_(ring),
        w_(wgmma::descriptor(ring.memory + group * 64 * kTileBoxBytes)),
        x_(wgmma::descriptor(ring.memory + (Groups::kRows + x_row) * kTileBoxBytes)) {}

  // sums += the item's slots, `count`; of two warpgroups a multiple of kManyTurn.
  template <typename Join, int kCount>
  __device__ __forceinline__ void add(float (&sums)[kCount], const Join& join, int count) {
    auto next = join.ask(0);
    for (int first = 0; first < count; first += kManyTurn) {
      const auto factors = next;
      if (first + kManyTurn < count) next = join.ask(first + kManyTurn);
      if constexpr (Groups::kCount == 2) {
#pragma unroll
        for (int i = 0; i < kManyTurn; i += 2) {
          float one[kCount];
          float other[kCount];
          const int now = begin(one);
          const int then = begin(other);
          wgmma::wait_but_one(one);
          release(now);
          Join::join(sums, one, factors, i);
          wgmma::wait(other);
          release(then);
          Join::join(sums, other, factors, i + 1);
        }
      } else {
#pragma unroll
        for (int i = 0; i < kManyTurn; ++i) {
          if (first + i >= count) break;
          float part[kCount];
          const int now = begin(part);
          wgmma::wait(part);
          release(now);
          Join::join(sums, part, factors, i);
        }
      }
    }
  }

 private:
  // The next slot's product, when it is there; which slot that is.
  template <int kCount>
  __device__ __forceinline__ int begin(float (&part)[kCount]) {
    wait_for(ring_.full(), ring_.parity);
    wgmma::begin(part);
    const std::uint32_t at = ring_.at * (Groups::kSlotBytes / 16);
#pragma unroll
    for (int k = 0; k < kTileBoxBytes / kStepBytes; ++k) {
      const std::uint32_t step = at + k * (kStepBytes / 16);
      wgmma::multiply_64(part, w_ + step, x_ + step, Op{}, k > 0);
    }
    wgmma::end();
    const int slot = ring_.at;
    ring_.step();
    return slot;
  }
  __device__ __forceinline__ void release(int slot) const {
    arrive_warp(ring_.barriers + 16 * slot + 8);
  }

  Ring& ring_;
  const std::uint64_t w_;
  const std::uint64_t x_;
};

// x's scales of a warpgroup's item: asked for before its sums are there, shared out behind them.
class ItemScales {
 public:
  // memory: two rooms of kWidestTile, for an item and the next.
  __device__ __forceinline__ ItemScales(float* memory, int group)
      : memory_(memory), barrier_(kItemScalesThere + group) {}

  __device__ __forceinline__ void ask(const TileArguments& a, int x_row) {
    const int row = x_row + thread();
    mine_ = row < a.y.rows ? __ldcg(a.x_scales + row) : 0.0F;
  }
  // Whoever is past the barrier of an item has read those of the one before.
  __device__ __forceinline__ const float* share() {
    float* const room = memory_ + turn_ * kWidestTile;
    turn_ ^= 1;
    room[thread()] = mine_;
    asm volatile("bar.sync %0, %1;" ::"r"(barrier_), "n"(kWarpgroup) : "memory");
    return room;
  }

 private:
  __device__ static __forceinline__ int thread() {
    return static_cast<int>(threadIdx.x) % kWarpgroup;
  }

  float* memory_;
  int barrier_;
  int turn_ = 0;
  float mine_ = 0.0F;
};

#endif

template <typename Op, typename Groups, bool kGated, typename Weights>
__global__ void __launch_bounds__(Groups::kThreads, 1)
    many_kernel(const __grid_constant__ CUtensorMap weight, const __grid_constant__ CUtensorMap x,
                const __grid_constant__ TileArguments a, const __grid_constant__ Weights w) {
#if __CUDA_ARCH__ >= 900
  extern __shared__ std::byte dynamic[];
  __shared__ __align__(16) std::uint64_t barriers[2 * Groups::kSlots];
  __shared__ float x_scales[Groups::kCount][2 * Groups::kWidth];
  Ring ring(dynamic, barriers, Groups::kSlots, Groups::kSlotBytes);
  const int warp = __shfl_sync(~0U, static_cast<int>(threadIdx.x) / 32, 0);
  ring.open(Groups::kConsumers, Groups::kWarps, weight, x);
  const int number = static_cast<int>(blockIdx.x);
  const int items = items_of_block(a.items);
  if (warp >= Groups::kWarps) {
    give_registers<Groups::kOfBringer>();
    if (threadIdx.x == Groups::kConsumers) {
      Producer<Groups::kWidth, kGated>{weight, x, a, ItemWalk(a.items)}.run(ring,
                                                                            items * a.items.chunks);
    }
    return;
  }
  take_registers<Groups::kOfConsumer>();
  const Place place{warp / 4, false, Groups::kRows / Groups::kCount};
  float* const room = reinterpret_cast<float*>(ring.end(dynamic)) + warp * kOutputRoom;
  ItemScales scales(x_scales[place.group], place.group);
  cudaGridDependencySynchronize();  // x's scales; and y may be read still
  for (int i = 0; i < items; ++i) {
    const auto item_of = [&] { return Item(a.items, number + i * static_cast<int>(gridDim.x)); };
    const auto run = [&]<int kCount>(float(&sums)[kCount], int half) {
      const auto x_row = [&](const Item& item) { return item.x_tile * Groups::kWidth + half; };
      RowScales of_rows;
      {
        const Item item = item_of();
        scales.ask(a, x_row(item));
        if constexpr (Weights::kGrouped) {
          const auto join = ScaledJoin::of<kGated>(a, w, place, item);
          Slots<Op, Groups>(ring, place.group, half).add(sums, join, a.items.chunks);
        } else {
          of_rows = row_scales<kGated>(a, place, item.tile);
          Slots<Op, Groups>(ring, place.group, half).add(sums, PlainJoin{}, a.items.chunks);
        }
      }
      const Item item = item_of();
      put_tile<Op, 2 * kCount, kGated>(sums, a, place, item.tile, x_row(item), of_rows,
                                       scales.share() - x_row(item), room);
    };
    if (const Item item = item_of(); item.halved) {
      float sums[Groups::kWidth / 4] = {};
      run(sums, item.half * (Groups::kWidth / 2));
    } else {
      float sums[Groups::kWidth / 2] = {};
      run(sums, 0);
    }
  }
#endif
}

template <typename Op, typename Groups, bool kGated, typename Weights>
void launch_many(const Launch& launch, const Product& product, const TileWay& way,
                 const TilePlan& plan, const Weights& weights) {
  const TileArguments a = tile_arguments(launch, product, way, plan);
  const TileMaps maps = tile_maps<Op, Groups::kWidth, kGated>(product, way);
  launch_tile_kernel(launch, many_kernel<Op, Groups, kGated, Weights>, Groups::kThreads,
                     plan.shared_bytes, a.items, way, plan, maps.weight, maps.x, a, weights);
}

}  // namespace hangar::cuda::tiles
