// Hopper's prefill kernel: how it is cut, and where what lies in a block's shared memory.
//
// Promise: keys and values of a stage lie in groups of 8 tokens, each group in parts of 128 bytes
//   of a row (64 where rows are no multiple of 128), 8 tokens' of a part together: as wgmma's
//   descriptors read it, along for keys and across for values. The copy engine makes it of the
//   cache's blocks, whose chunks have the right permutation from the start: 16 tokens of a head are
//   one box of {part, 8 tokens, parts, 2 groups}. Queries lie in parts of all the tile's rows.
// Threads: values.
#pragma once

#include <cstdint>

#include "backend/cuda/attention_prefill_tiles.cuh"

namespace hangar::cuda::attend::hopper {

struct PrefillWay {
  int tokens = 128;    // of a stage
  int stages = 2;      // of elements that are multiplied
  int raw_stages = 0;  // of codes as cached, in FP8
  int unpackers = 0;   // warps that unpack them: 4, a group of their own, or 2 beside the loader
  bool kept = true;    // queries are multiplied out of registers
};

template <typename T_, int kDim_, PrefillWay kWay>
struct Sizes {
  using T = T_;              // of the cache
  using Operand = Work<T_>;  // what is multiplied
  static constexpr bool kCodes = kIsFp8<T>;
  static constexpr int kDim = kDim_;
  static constexpr int kGroups = 2;  // warpgroups that multiply, 64 packed rows each
  static constexpr int kTokens = kWay.tokens;
  static constexpr int kStages = kWay.stages;
  static constexpr int kRawStages = kWay.raw_stages;
  static constexpr int kQuerySlots = 1;  // tiles of queries in shared memory
  static constexpr bool kKept = kWay.kept;
  static_assert(kCodes == (kRawStages > 0) && kCodes == (kWay.unpackers > 0) &&
                kTokens % kSlabTokens == 0);

  // Warpgroups: those that multiply; one that finds tiles and starts copies; one that unpacks.
  static constexpr int kUnpackers = kWay.unpackers;
  static constexpr bool kUnpackGroup = kUnpackers == 4;
  static constexpr int kConsumerWarps = 4 * kGroups;
  static constexpr int kThreads = 32 * kConsumerWarps + 128 + (kUnpackGroup ? 128 : 0);
  // Registers of a thread, of what a block has for four warps together.
  static constexpr int kRegisters = 65536 / kThreads / 8 * 8 * (kThreads / 128);
  static constexpr int kUnpackerRegisters = kUnpackGroup ? 64 : 0;
  static constexpr int kLoaderRegisters = kUnpackers == 2 ? 56 : 40;
  static constexpr int kLeft = (kRegisters - kLoaderRegisters - kUnpackerRegisters) / kGroups;
  static constexpr int kConsumerRegisters = kLeft > 240 ? 240 : kLeft / 8 * 8;

  static constexpr int kRows = 64 * kGroups;
  static constexpr int kSlabs = kTokens / kSlabTokens;
  static constexpr int kPartBytes = 2 * kDim % 128 == 0 ? 128 : 64;
  static constexpr int kParts = 2 * kDim / kPartBytes;
  static constexpr int kPartSteps = kPartBytes / 32;       // of 16 elements
  static constexpr int kPartGroupBytes = 8 * kPartBytes;   // 8 tokens of a part
  static constexpr int kGroupBytes = 8 * 2 * kDim;         // 8 tokens
  static constexpr int kTensorBytes = kTokens * 2 * kDim;  // a stage's keys, or values
  static constexpr int kQueryPartBytes = kRows * kPartBytes;
  static constexpr int kQueryBytes = kParts * kQueryPartBytes;
  static constexpr int kRawPairBytes = kCodes ? 2 * kSlabBytes<T, kDim> : 0;  // of a slab
  static constexpr int kRawBytes = kSlabs * kRawPairBytes;
  static constexpr int kScaleBytes = kCodes ? 3 * kTokens * 4 : 0;

  // Offsets. Everything that is swizzled begins at a multiple of 1024.
  static constexpr int kTileSlots = 2;
  static constexpr int kKeysAt = kQuerySlots * kQueryBytes;
  static constexpr int kValuesAt = kKeysAt + kStages * kTensorBytes;
  static constexpr int kRawAt = kValuesAt + kStages * kTensorBytes;
  static constexpr int kScalesAt = kRawAt + kRawStages * kRawBytes;
  static constexpr int kQueueAt = kScalesAt + kStages * kScaleBytes;
  static constexpr int kBarriersAt = kQueueAt + kTileSlots * static_cast<int>(sizeof(QueryTile));
  // Each with its "full" and its "empty".
  static constexpr int kQueryBarriers = 0;
  static constexpr int kKeyBarriers = kQueryBarriers + 2 * kQuerySlots;
  static constexpr int kValueBarriers = kKeyBarriers + 2 * kStages;
  static constexpr int kRawBarriers = kValueBarriers + 2 * kStages;
  static constexpr int kQueueBarriers = kRawBarriers + 2 * kRawStages;
  static constexpr int kBytes = kBarriersAt + 8 * (kQueueBarriers + 2 * kTileSlots);
  static_assert(kBytes <= 227 << 10);
  static_assert(kQueryPartBytes % 1024 == 0 && kTensorBytes % 1024 == 0);
};

#if __CUDA_ARCH__ >= 900

template <typename S>
using Queue = TileQueue<S::kTileSlots>;

enum class Of { kQueries, kKeys, kValues, kRaw };

// Named barriers of the block; 0 is __syncthreads.
inline constexpr int kTurnBarriers = 1;   // one a warpgroup: its turn to begin products
inline constexpr int kGroupBarriers = 4;  // one a warpgroup: of its own threads

__device__ __forceinline__ void sync_at(int barrier, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}
__device__ __forceinline__ void arrive_at(int barrier, int threads) {
  asm volatile("bar.arrive %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}

// Addresses in a block's shared memory.
template <typename S>
struct Shared {
  std::uint32_t begin;

  __device__ __forceinline__ std::uint32_t queries(int slot) const {
    return begin + slot * S::kQueryBytes;
  }
  __device__ __forceinline__ std::uint32_t keys(int slot) const {
    return begin + S::kKeysAt + slot * S::kTensorBytes;
  }
  __device__ __forceinline__ std::uint32_t values(int slot) const {
    return begin + S::kValuesAt + slot * S::kTensorBytes;
  }
  __device__ __forceinline__ std::uint32_t raw(int slot) const {
    return begin + S::kRawAt + slot * S::kRawBytes;
  }
  // The keys' scales, the logarithms of the values', and their inverses: kTokens floats of each.
  __device__ __forceinline__ std::uint32_t scales(int slot) const {
    return begin + S::kScalesAt + slot * S::kScaleBytes;
  }
  template <Of kOf>
  __device__ __forceinline__ std::uint32_t full(int slot) const {
    constexpr int kFirst = kOf == Of::kQueries  ? S::kQueryBarriers
                           : kOf == Of::kKeys   ? S::kKeyBarriers
                           : kOf == Of::kValues ? S::kValueBarriers
                                                : S::kRawBarriers;
    return begin + S::kBarriersAt + 8 * kFirst + 16 * slot;
  }
  template <Of kOf>
  __device__ __forceinline__ std::uint32_t empty(int slot) const {
    return full<kOf>(slot) + 8;
  }
  __device__ __forceinline__ Queue<S> queue() const {
    return Queue<S>(begin + S::kQueueAt, begin + S::kBarriersAt + 8 * S::kQueueBarriers);
  }

  // One thread.
  __device__ __forceinline__ void init_barriers() const {
    constexpr int kReaders = S::kConsumerWarps * kWarpArrivals;
    constexpr int kUnpackers = S::kUnpackers * kWarpArrivals;
    constexpr int kFillers = S::kCodes ? kUnpackers : 1;  // or one thread
    for (int i = 0; i < S::kQuerySlots; ++i) {
      init_barrier(full<Of::kQueries>(i));
      init_barrier(empty<Of::kQueries>(i), kReaders);
    }
    for (int i = 0; i < S::kStages; ++i) {
      init_barrier(full<Of::kKeys>(i), kFillers);
      init_barrier(empty<Of::kKeys>(i), kReaders);
      init_barrier(full<Of::kValues>(i), kFillers);
      init_barrier(empty<Of::kValues>(i), kReaders);
    }
    for (int i = 0; i < S::kRawStages; ++i) {
      init_barrier(full<Of::kRaw>(i));
      init_barrier(empty<Of::kRaw>(i), kUnpackers);
    }
    queue().init(S::kConsumerWarps + 1 + S::kUnpackers);
    publish_barriers();
  }
};

#endif

}  // namespace hangar::cuda::attend::hopper
