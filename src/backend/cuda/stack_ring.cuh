// The ring through which a stack's weights, keys and values come: one thread brings them, in the
// order in which the block's warps will want them, and never stops at a layer's end.
//
// Promise: Ring is the place of whoever reads: full() is waited for, empty() arrived at by each
//   warp. Bringer::run() brings all. Of what it has asked for only so much is under way at once as
//   memory brings in the time that an access takes: kAtWork slots while the block multiplies long,
//   kBetween while blocks wait for each other. More would wait in the memory's queues, and the
//   words of stack_words.cuh behind it: with all slots asked for a layer took 39 us instead of 34.
// Threads: device functions; Bringer is one thread's.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backend/cuda/hopper.cuh"
#include "backend/cuda/stack_memory.cuh"

namespace hangar::cuda::stack {

inline constexpr int kAtWork = 3;
inline constexpr int kBetween = 1;

#if __CUDA_ARCH__ >= 900

struct Ring {
  std::uint32_t barriers;
  int slots;
  int at = 0;
  std::uint32_t parity = 0;

  __device__ __forceinline__ std::uint32_t full() const { return barriers + 8 * at; }
  __device__ __forceinline__ std::uint32_t empty() const { return full() + 8 * kMostSlots; }
  __device__ __forceinline__ void step() {
    if (++at < slots) return;
    at = 0;
    parity ^= 1;
  }
  // One thread, before the block's barrier.
  __device__ __forceinline__ void init() const {
    for (int i = 0; i < slots; ++i) {
      init_barrier(barriers + 8 * i);
      init_barrier(barriers + 8 * (kMostSlots + i), kWarps * kWarpArrivals);
    }
    publish_barriers();
  }
};

// The token blocks of a KV head that one of its 16 blocks attends to: this and each sixteenth on.
struct Context {
  const std::int32_t* table = nullptr;  // of the sequence
  std::int32_t position = 0;            // of the row: so many tokens are before it
  __device__ __forceinline__ int blocks() const { return position / kTokens + 1; }
};

// kHidden: slots of a strip of hidden columns; kGroup: query heads to a KV head.
template <int kHidden, int kGroup>
class Bringer {
 public:
  __device__ __forceinline__ Bringer(const StackArguments& a, const Ring& ring,
                                     std::uint32_t memory, const volatile int* at_work)
      : a_(a), ring_(ring), landing_(ring), memory_(memory), at_work_(at_work) {
    ring_.parity = 1;  // the first time round nothing is waited for
  }

  __device__ __forceinline__ void run(const Context& context) {
    const int block = static_cast<int>(blockIdx.x);
    const int head = block / 16;
    const int rank = block % 16;
    constexpr int kQStrips = 8 * kGroup;  // of a KV head
    constexpr int kOutSlots = kGroup / 2;
    const int inner = a_.sizes.inner / kSlotColumns;
    for (int layer = 0; layer < a_.sizes.layers; ++layer) {
      const StackLayer& l = a_.layers[layer];
      for (int i = 0; i <= kGroup / 2; ++i) {
        const int strip = rank * (kGroup / 2 + 1) + i;
        if (strip < kQStrips) {
          bring_strip<kHidden>(l.q, head * kQStrips + strip);
        } else if (strip < kQStrips + 8) {
          bring_strip<kHidden>(l.k, head * 8 + strip - kQStrips);
        } else {
          bring_strip<kHidden>(l.v, head * 8 + strip - kQStrips - 8);
        }
      }
      bring_tokens(context, layer, head, rank);
      for (int i = 0; i < kHidden; ++i) bring_strip<kOutSlots>(l.out, block * kHidden + i);
      for (int i = 0; i < inner; ++i) {
        bring_strip<kHidden>(l.gate, block * inner + i);
        bring_strip<kHidden>(l.up, block * inner + i);
      }
      for (int i = 0; i < inner; ++i) {
        for (int strip = 0; strip < kHidden; ++strip) {
          bring(l.down, (std::int64_t{block} * kHidden + strip) * inner + i);
        }
      }
    }
  }

 private:
  template <int kSlots>
  __device__ __forceinline__ void bring_strip(const void* weight, std::int64_t strip) {
    for (int i = 0; i < kSlots; ++i) bring(weight, strip * kSlots + i);
  }
  __device__ __forceinline__ void bring(const void* weight, std::int64_t slot) {
    next(kSlotBytes);
    copy_bulk(slot_address(), static_cast<const std::byte*>(weight) + slot * kSlotBytes, kSlotBytes,
              ring_.full(), CacheFor::kOnce);
    ring_.step();
  }
  // Keys of up to two blocks, then their values.
  __device__ __forceinline__ void bring_tokens(const Context& context, int layer, int head,
                                               int rank) {
    const std::int64_t first =
        layer * a_.kv_layer_bytes + head * a_.kv.head_stride() * a_.kv.element_bytes();
    const std::int64_t stride = a_.kv.block_stride() * a_.kv.element_bytes();
    const int blocks = context.blocks();
    for (int b = rank; b < blocks; b += 32) {
      const int count = b + 16 < blocks ? 2 : 1;
      next(2 * count * kTokenBlockBytes);
      for (int i = 0; i < count; ++i) {
        const std::int64_t from = first + context.table[b + 16 * i] * stride;
        copy_bulk(slot_address() + i * kTokenBlockBytes,
                  static_cast<const std::byte*>(a_.kv.keys) + from, kTokenBlockBytes, ring_.full());
        copy_bulk(slot_address() + (2 + i) * kTokenBlockBytes,
                  static_cast<const std::byte*>(a_.kv.values) + from, kTokenBlockBytes,
                  ring_.full());
      }
      ring_.step();
    }
  }
  __device__ __forceinline__ void next(std::uint32_t bytes) {
    while (under_way_ >= (*at_work_ != 0 ? kAtWork : kBetween)) {
      wait_for(landing_.full(), landing_.parity);
      landing_.step();
      --under_way_;
    }
    wait_for(ring_.empty(), ring_.parity);
    expect(ring_.full(), bytes);
    ++under_way_;
  }
  __device__ __forceinline__ std::uint32_t slot_address() const {
    return memory_ + ring_.at * kSlotBytes;
  }

  const StackArguments& a_;
  Ring ring_;
  Ring landing_;  // the oldest that may be under way
  std::uint32_t memory_;
  const volatile int* at_work_;
  int under_way_ = 0;
};

#endif

}  // namespace hangar::cuda::stack
