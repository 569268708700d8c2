// Hopper's prefill kernel: the warp that starts its copies, and those that unpack FP8.
//
// Promise: load() brings each tile's queries and, stage by stage, its keys and values; slabs that a
//   stage has beyond the tile's come as zeros. FP8 comes as cached, keys and values together, and
//   unpack() makes halves of it, values of tokens that the tile does not have zeros.
// Threads: device code; load() is one warp's, unpack() that of several.
#pragma once

#include <cuda.h>

#include <cstdint>

#include "backend/cuda/attention_prefill_sizes.cuh"
#include "backend/cuda/attention_slabs.cuh"

namespace hangar::cuda::attend::hopper {

// How the copy engine finds queries, and keys and values of 16 bits.
struct PrefillMaps {
  CUtensorMap queries;
  CUtensorMap keys;
  CUtensorMap values;
};

#if __CUDA_ARCH__ >= 900

// The block that a slab of the tile is in; -1: the tile has no such slab.
__device__ __forceinline__ int block_of(const AttentionArguments& a, const QueryTile& tile,
                                        int slab) {
  if (slab >= tile.slabs) return -1;
  return a.block_tables[tile.first_block + (tile.first_slab + slab) * kSlabTokens / a.block_tokens];
}

template <typename S>
__device__ __forceinline__ void load_queries(const AttentionArguments& a, const PrefillMaps& maps,
                                             const Shared<S>& shared, const QueryTile& tile,
                                             Turn<S::kQuerySlots>& turn) {
  wait_for(shared.template empty<Of::kQueries>(turn.slot), turn.parity ^ 1U);
  if (threadIdx.x % 32 == 0) {
    const std::uint32_t full = shared.template full<Of::kQueries>(turn.slot);
    expect(full, S::kRows / a.group * a.group * S::kParts * S::kPartBytes);
#pragma unroll
    for (int part = 0; part < S::kParts; ++part) {
      copy_box(shared.queries(turn.slot) + part * S::kQueryPartBytes, &maps.queries, full, 0,
               tile.kv_head * a.group, tile.first_row, part);
    }
  }
  __syncwarp();
  turn.step();
}

// One tensor's slabs of a stage, a lane each.
template <typename S, Of kOf>
__device__ __forceinline__ void load_slabs(const AttentionArguments& a, const CUtensorMap& map,
                                           const Shared<S>& shared, const QueryTile& tile,
                                           const Turn<S::kStages>& turn, int first, int block) {
  const int lane = threadIdx.x % 32;
  wait_for(shared.template empty<kOf>(turn.slot), turn.parity ^ 1U);
  const std::uint32_t full = shared.template full<kOf>(turn.slot);
  if (lane == 0) expect(full, S::kTensorBytes);
  __syncwarp();
  if (lane < S::kSlabs) {
    const std::uint32_t to =
        (kOf == Of::kKeys ? shared.keys(turn.slot) : shared.values(turn.slot)) +
        lane * 2 * S::kGroupBytes;
    const int token = (tile.first_slab + first + lane) * kSlabTokens % a.block_tokens;
    const int place = ((block * a.kv_heads + tile.kv_head) * a.block_tokens + token) / 8;
    copy_box(to, &map, full, 0, 0, 0, block < 0 ? -2 : place);
  }
  __syncwarp();
}

template <typename S>
__device__ __forceinline__ void load_codes(const AttentionArguments& a, const Shared<S>& shared,
                                           const QueryTile& tile, const Turn<S::kRawStages>& turn,
                                           int first, int block) {
  const int lane = threadIdx.x % 32;
  wait_for(shared.template empty<Of::kRaw>(turn.slot), turn.parity ^ 1U);
  const std::uint32_t full = shared.template full<Of::kRaw>(turn.slot);
  if (lane == 0) expect(full, min(S::kSlabs, tile.slabs - first) * S::kRawPairBytes);
  __syncwarp();
  if (lane < S::kSlabs && block >= 0) {
    const int token = (tile.first_slab + first + lane) * kSlabTokens % a.block_tokens;
    const std::int64_t byte = block * a.block_stride + tile.kv_head * a.head_stride +
                              token / kSlabTokens * S::kRawPairBytes;
    copy_bulk(shared.raw(turn.slot) + lane * S::kRawPairBytes,
              static_cast<const std::byte*>(a.keys) + byte, S::kRawPairBytes, full);
  }
  __syncwarp();
}

template <typename S>
__device__ __forceinline__ void load(const AttentionArguments& a, const PrefillMaps& maps,
                                     const Shared<S>& shared) {
  const int lane = threadIdx.x % 32;
  Queue<S> queue = shared.queue();
  Turn<S::kQuerySlots> query;
  Turn<S::kStages> stage;
  Turn<S::kCodes ? S::kRawStages : 1> raw;
  for (;;) {
    const QueryTile tile = queue.get();
    if (tile.rows == 0) return;
    int block = block_of(a, tile, lane);
    load_queries(a, maps, shared, tile, query);
    for (int first = 0; first < tile.slabs; first += S::kSlabs) {
      const int now = block;
      block = block_of(a, tile, first + S::kSlabs + lane);
      if constexpr (S::kCodes) {
        load_codes(a, shared, tile, raw, first, now);
        raw.step();
      } else {
        load_slabs<S, Of::kKeys>(a, maps.keys, shared, tile, stage, first, now);
        load_slabs<S, Of::kValues>(a, maps.values, shared, tile, stage, first, now);
        stage.step();
      }
    }
  }
}

// One tensor of a stage, by all warps that unpack: 16 dims of a token at a time. there(slab): how
// many of its tokens the tile has.
template <typename S, typename There>
__device__ __forceinline__ void unpack_tensor(int thread, std::uint32_t to, std::uint32_t from,
                                              bool values, const There& there) {
  constexpr int kPieces = S::kDim / 16;
  constexpr int kChunks = S::kPartBytes / 16;  // of a part
#pragma unroll 4
  for (int i = thread; i < S::kTokens * kPieces; i += 32 * S::kUnpackers) {
    const int piece = i % kPieces;
    const int row = i / kPieces;
    const int slab = row / kSlabTokens;
    const int token = row % kSlabTokens;
    std::uint32_t halves[8] = {};
    if (!values || token < there(slab)) {
      std::uint32_t codes[4];
      asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
                   : "=r"(codes[0]), "=r"(codes[1]), "=r"(codes[2]), "=r"(codes[3])
                   : "r"(from + slab * S::kRawPairBytes + token * S::kDim +
                         kv_chunk(S::kDim, token, piece) * 16)
                   : "memory");
#pragma unroll
      for (int j = 0; j < 4; ++j) e4m3_to_halves(codes[j], halves[2 * j], halves[2 * j + 1]);
    }
    const int part = 2 * piece / kChunks;
    const std::uint32_t at =
        to + row / 8 * S::kGroupBytes + part * S::kPartGroupBytes + token % 8 * S::kPartBytes;
#pragma unroll
    for (int j = 0; j < 2; ++j) {
      const int chunk = kv_chunk(S::kPartBytes, token, 2 * piece % kChunks + j);
      asm volatile("st.shared.v4.u32 [%0], {%1, %2, %3, %4};" ::"r"(at + chunk * 16),
                   "r"(halves[4 * j]), "r"(halves[4 * j + 1]), "r"(halves[4 * j + 2]),
                   "r"(halves[4 * j + 3])
                   : "memory");
    }
  }
}

__device__ __forceinline__ float load_float(std::uint32_t address) {
  float x;
  asm volatile("ld.shared.f32 %0, [%1];" : "=f"(x) : "r"(address) : "memory");
  return x;
}
__device__ __forceinline__ void store_float(std::uint32_t address, float x) {
  asm volatile("st.shared.f32 [%0], %1;" ::"r"(address), "f"(x) : "memory");
}

template <typename S>
__device__ __forceinline__ void unpack(const Shared<S>& shared, int thread) {
  constexpr int kCodeBytes = S::kRawPairBytes / 2;
  Queue<S> queue = shared.queue();
  Turn<S::kStages> stage;
  Turn<S::kRawStages> raw;
  for (;;) {
    const QueryTile tile = queue.get();
    if (tile.rows == 0) return;
    for (int first = 0; first < tile.slabs; first += S::kSlabs) {
      const int tokens = tile.token_end - (tile.first_slab + first) * kSlabTokens;
      const auto there = [&](int slab) { return min(kSlabTokens, tokens - slab * kSlabTokens); };
      const std::uint32_t from = shared.raw(raw.slot);
      wait_for(shared.template full<Of::kRaw>(raw.slot), raw.parity);
      wait_for(shared.template empty<Of::kKeys>(stage.slot), stage.parity ^ 1U);
      unpack_tensor<S>(thread, shared.keys(stage.slot), from, false, there);
      for (int i = thread; i < S::kTokens; i += 32 * S::kUnpackers) {
        const int slab = i / kSlabTokens;
        const int token = i % kSlabTokens;
        const std::uint32_t at = from + slab * S::kRawPairBytes + kSlabTokens * S::kDim + token * 4;
        const float value = token < there(slab) ? load_float(at + kCodeBytes) : 1.0F;
        const std::uint32_t to = shared.scales(stage.slot) + i * 4;
        store_float(to, load_float(at));
        store_float(to + S::kTokens * 4, logarithm(value));
        store_float(to + S::kTokens * 8, inverse(value));
      }
      fence_copies();
      __syncwarp();
      arrive_warp(shared.template full<Of::kKeys>(stage.slot));
      wait_for(shared.template empty<Of::kValues>(stage.slot), stage.parity ^ 1U);
      unpack_tensor<S>(thread, shared.values(stage.slot), from + kCodeBytes, true, there);
      fence_copies();
      __syncwarp();
      arrive_warp(shared.template full<Of::kValues>(stage.slot));
      arrive_warp(shared.template empty<Of::kRaw>(raw.slot));
      stage.step();
      raw.step();
    }
  }
}

#endif

}  // namespace hangar::cuda::attend::hopper
