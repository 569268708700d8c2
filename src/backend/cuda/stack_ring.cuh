// The ring through which a stack's weights, keys and values come: one thread brings them, in the
// order in which the block's warps will want them, and never stops at a layer's end.
//
// Promise: Ring is the place of whoever reads: full() is waited for, empty() arrived at by each
//   warp. Bringer::run() brings all. Of what it has asked for only so much is under way at once as
//   memory brings in the time that an access takes: the weights' kAtWork slots while the block
//   works long, kAtShortWork while it multiplies q, k, v and attention's output, kBetween while
//   blocks wait for each other (Pace). More would wait in the memory's queues, and the words of
//   stack_words.cuh behind it: in 4 bits with all slots asked for a layer took 39 us instead of
//   34.
// Threads: device functions; Bringer is one thread's.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backend/cuda/hopper.cuh"
#include "backend/cuda/stack_memory.cuh"

namespace hangar::cuda::stack {

// Attention to more tokens than these is long work: with 8,000 a step is 13% faster for it, with
// 1,000 0.6% slower.
inline constexpr int kLongContext = 2048;

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

// How many slots may be under way: told by one thread, asked by the bringer at any time, so without
// a barrier (which racecheck takes for a race, unless both are atomic).
class Pace {
 public:
  __device__ __forceinline__ explicit Pace(int* word) : word_(word) {}

  __device__ __forceinline__ void set(int slots) const {
    if constexpr (kForRacecheck) {
      atomicExch(word_, slots);
    } else {
      *const_cast<volatile int*>(word_) = slots;
    }
  }
  __device__ __forceinline__ int slots() const {
    if constexpr (kForRacecheck) return atomicAdd(word_, 0);
    return *const_cast<const volatile int*>(word_);
  }

 private:
  int* word_;
};

// The token blocks of a KV head that one of its 16 blocks attends to: this and each sixteenth on.
struct Context {
  const std::int32_t* table = nullptr;  // of the sequence
  std::int32_t position = 0;            // of the row: so many tokens are before it
  __device__ __forceinline__ int blocks() const { return position / kTokens + 1; }
};

// W: Int4Weights, RowWeights.
template <typename W>
class Bringer {
 public:
  __device__ __forceinline__ Bringer(const StackArguments& a, const Ring& ring,
                                     std::uint32_t memory, Pace pace)
      : a_(a), ring_(ring), landing_(ring), memory_(memory), pace_(pace) {
    ring_.parity = 1;  // the first time round nothing is waited for
  }

  __device__ __forceinline__ void run(const Context& context) {
    const int block = static_cast<int>(blockIdx.x);
    const int head = block / 16;
    const int rank = block % 16;
    constexpr int kVectorStrips = kStackHeadDim / 16;
    constexpr int kQStrips = kVectorStrips * kStackGroup;  // of a KV head
    const int inner = a_.sizes.inner / kUnitColumns;
    const Found first = find(context, rank);
    for (int layer = 0; layer < a_.sizes.layers; ++layer) {
      const StackLayer& l = a_.layers[layer];
      for (int i = 0; i < kHeadStrips; ++i) {
        const int strip = rank * kHeadStrips + i;
        if (strip < kQStrips) {
          bring_strip(l.q, head * kQStrips + strip);
        } else if (strip < kQStrips + kVectorStrips) {
          bring_strip(l.k, head * kVectorStrips + strip - kQStrips);
        } else {
          bring_strip(l.v, head * kVectorStrips + strip - kQStrips - kVectorStrips);
        }
      }
      bring_tokens(context, first, layer, head, rank);
      for (int i = 0; i < kOwnStrips; ++i) bring_strip(l.out, block * kOwnStrips + i);
      for (int i = 0; i < inner; ++i) {
        bring_strip(l.gate, block * inner + i);
        bring_strip(l.up, block * inner + i);
      }
      for (int i = 0; i < inner; ++i) {
        for (int strip = 0; strip < kOwnStrips; ++strip) {
          bring_unit(l.down, a_.boxes_of_inner, block * kOwnStrips + strip, i, inner);
        }
      }
    }
  }

 private:
  // Of x's columns.
  __device__ __forceinline__ void bring_strip(const StackMatrix& w, int strip) {
    for (int i = 0; i < kHiddenUnits; ++i) {
      bring_unit(w, a_.boxes_of_hidden, strip, i, kHiddenUnits);
    }
  }
  // Unit i of a strip of so many.
  __device__ __forceinline__ void bring_unit(const StackMatrix& w, const CUtensorMap& boxes,
                                             std::int64_t strip, int i, int units) {
    const int slots = units * W::kSlots;
#pragma unroll 1
    for (int slot = i * W::kSlots; slot < (i + 1) * W::kSlots; ++slot) {
      next(W::kSlotBytes);
      const auto* const data = static_cast<const std::byte*>(w.data);
      if constexpr (W::kBoxes) {
        const std::int64_t first = (data - a_.boxes_from) / kBoxBytes;
        copy_box(slot_address(), &boxes, ring_.full(), CacheFor::kOnce, 0, 0,
                 static_cast<int>(first + (strip * 16 * slots + slot) * kStackBoxes));
      } else {
        copy_bulk(slot_address(), data + (strip * slots + slot) * W::kSlotBytes, W::kSlotBytes,
                  ring_.full(), CacheFor::kOnce);
      }
      ring_.step();
    }
  }
  // Where the block's next two lie: looked up a slot ahead, as that takes as long as a slot does.
  struct Found {
    std::int32_t blocks[2];
  };
  __device__ __forceinline__ static Found find(const Context& context, int b) {
    const int blocks = context.blocks();
    return {{b < blocks ? context.table[b] : 0, b + 16 < blocks ? context.table[b + 16] : 0}};
  }
  // Keys of up to two blocks, then their values.
  __device__ __forceinline__ void bring_tokens(const Context& context, Found found, int layer,
                                               int head, int rank) {
    const std::int64_t first =
        layer * a_.kv_layer_bytes + head * a_.kv.head_stride() * a_.kv.element_bytes();
    const std::int64_t stride = a_.kv.block_stride() * a_.kv.element_bytes();
    const int blocks = context.blocks();
    for (int b = rank; b < blocks; b += 32) {
      const int count = b + 16 < blocks ? 2 : 1;
      const Found ahead = find(context, b + 32);
      next(2 * count * kTokenBlockBytes);
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        if (i == count) break;
        const std::int64_t from = first + found.blocks[i] * stride;
        copy_bulk(slot_address() + i * kTokenBlockBytes,
                  static_cast<const std::byte*>(a_.kv.keys) + from, kTokenBlockBytes, ring_.full());
        copy_bulk(slot_address() + (2 + i) * kTokenBlockBytes,
                  static_cast<const std::byte*>(a_.kv.values) + from, kTokenBlockBytes,
                  ring_.full());
      }
      ring_.step();
      found = ahead;
    }
  }
  __device__ __forceinline__ void next(std::uint32_t bytes) {
    while (under_way_ >= pace_.slots()) {
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
  Pace pace_;
  int under_way_ = 0;
};

#endif

}  // namespace hangar::cuda::stack
