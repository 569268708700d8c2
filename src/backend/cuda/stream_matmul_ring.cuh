// The ring that the streaming kernel's weights come through: slots of shared memory, each with a
// barrier that says it is full and one that says it is empty.
//
// Promise: a slot is filled by bulk copies (the copy engine's, no thread waits for them) that count
//   on its `full` barrier; who has read a slot arrives at its `empty` barrier. Producer and
//   consumers step through the slots in the same order, each with a Turn of its own. What a slot
//   holds and how lanes read it is a Reader's: DenseReader's are 16-bit rows as the card has them.
// Shapes: a Reader has Element (the type multiplied), kColumns (of W, in one slot), kSlotBytes;
//   fetch(), by one warp, which starts the copies of up to 16 rows and says what they count;
//   low_high(), by each lane, its 8 columns of weight rows lane / 4 and lane / 4 + 8 from `column`
//   on (a multiple of 32). Forms that stay packed are readers of their own.
// Alignment: rows of W begin at multiples of 16 bytes.
// Threads: device code; only what runs on Hopper may call it.
#pragma once

#include <cstdint>

#include "backend/cuda/stream_matmul.h"

namespace hangar::cuda::stream {

inline constexpr int kTileRows = 16;  // of W: what one mma takes

__device__ __forceinline__ std::uint32_t shared_address(const void* p) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(p));
}

__device__ __forceinline__ void init_barrier(std::uint32_t barrier, std::uint32_t arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
}

// After init_barrier, before the block's barrier: the copy engine sees them too.
__device__ __forceinline__ void publish_barriers() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

__device__ __forceinline__ void arrive(std::uint32_t barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}

// Arrives, and asks for so many bytes before the phase is over.
__device__ __forceinline__ void arrive_and_expect(std::uint32_t barrier, std::uint32_t bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes)
               : "memory");
}

// Until the phase of this parity is over.
__device__ __forceinline__ void wait(std::uint32_t barrier, std::uint32_t parity) {
  std::uint32_t over = 0;
  do {
    asm volatile(
        "{\n"
        ".reg .pred p;\n"
        "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
        "selp.u32 %0, 1, 0, p;\n"
        "}\n"
        : "=r"(over)
        : "r"(barrier), "r"(parity)
        : "memory");
  } while (over == 0);
}

// Weights are read once a step: they leave the L2 cache before what is read again.
__device__ __forceinline__ std::uint64_t read_once_policy() {
  std::uint64_t policy = 0;
  asm volatile("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(policy));
  return policy;
}

// bytes, both addresses: multiples of 16.
__device__ __forceinline__ void copy_bulk(std::uint32_t to, const void* from, std::uint32_t bytes,
                                          std::uint32_t barrier, std::uint64_t policy) {
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint "
      "[%0], [%1], %2, [%3], %4;" ::"r"(to),
      "l"(__cvta_generic_to_global(from)), "r"(bytes), "r"(barrier), "l"(policy)
      : "memory");
}

// A place in the ring, and how often the ring has gone round (its lowest bit).
struct Turn {
  int slot = 0;
  std::uint32_t parity = 0;

  __device__ __forceinline__ void next(int slots) {
    if (++slot == slots) {
      slot = 0;
      parity ^= 1U;
    }
  }
};

// A block's rows of W.
struct Share {
  std::int64_t first = 0;
  int rows = 0;
  int tiles = 0;
};

__device__ __forceinline__ Share share_of_block(std::int64_t outputs) {
  Share share;
  share.first = outputs * blockIdx.x / gridDim.x;
  share.rows = static_cast<int>(outputs * (blockIdx.x + 1) / gridDim.x - share.first);
  share.tiles = (share.rows + kTileRows - 1) / kTileRows;
  return share;
}

struct Barriers {
  std::uint32_t first = 0;  // shared address
  int slots = 0;

  __device__ std::uint32_t full(int slot) const { return first + 8U * static_cast<unsigned>(slot); }
  __device__ std::uint32_t empty(int slot) const { return full(slots + slot); }
};

template <typename T>
struct DenseReader {
  using Element = T;
  static constexpr int kColumns = 512;
  static constexpr int kRowBytes = kColumns * 2;
  // Rows 2i and 2i + 1 lie 64 bytes apart modulo 128: 8 lanes that read 4 pieces of 16 bytes of
  // each then meet all banks once.
  static constexpr int kPairBytes = 2 * kRowBytes + 64;
  static constexpr int kSlotBytes = kTileRows / 2 * kPairBytes;

  __device__ static __forceinline__ int row_offset(int row) {
    return (row >> 1) * kPairBytes + (row & 1) * (kRowBytes + 64);
  }

  // Columns [column, column + columns) of `rows` rows from `row` on.
  __device__ static __forceinline__ void fetch(const StreamProduct& product, std::int64_t row,
                                               int rows, std::int64_t column, int columns,
                                               std::uint32_t slot, std::uint32_t full,
                                               std::uint64_t policy) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const auto row_bytes = static_cast<std::uint32_t>(columns) * 2U;
    if (lane == 0) arrive_and_expect(full, row_bytes * static_cast<std::uint32_t>(rows));
    __syncwarp();
    if (lane < rows) {
      const T* from =
          static_cast<const T*>(product.weight) + (row + lane) * product.columns + column;
      copy_bulk(slot + static_cast<std::uint32_t>(row_offset(lane)), from, row_bytes, full, policy);
    }
  }

  __device__ static __forceinline__ void low_high(const std::byte* slot, int column, uint4& low,
                                                  uint4& high) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const std::byte* at = slot + (column + 8 * (lane % 4)) * 2;
    low = *reinterpret_cast<const uint4*>(at + row_offset(lane / 4));
    high = *reinterpret_cast<const uint4*>(at + row_offset(lane / 4 + 8));
  }
};

}  // namespace hangar::cuda::stream
