// Which tiles of query rows there are in a step, and who takes which: for Hopper's prefill kernel,
// whose blocks stay.
//
// Promise: a tile is rows of one sequence with one KV head, as many as kRows packed rows hold (a
//   packed row is one query head of the group for one row of the sequence: all heads of one row,
//   then of the next). Rows of the batch are cut in windows of as many; an item is a window and a
//   KV head, and its tiles those that begin in the window, so that no list is needed. Blocks take
//   items as they come to them, later windows first: those are longest. One warp of a block finds
//   tiles and puts them into a queue, from which all other warps of the block get every one.
// Counter: zero before the kernel and again after it.
// Threads: device code; a warp calls together.
#pragma once

#include <cstdint>

#include "backend/cuda/attention_tiles.cuh"

namespace hangar::cuda::attend::hopper {

struct QueryTile {
  int first_row;  // of the batch
  int rows;       // 0: there is no other tile
  int position;   // of the first row
  int kv_head;
  int first_block;  // of the sequence's, in block_tables
  int first_slab;   // of the sequence: the first that any row attends to
  int slabs;
  int token_end;  // of the tokens that any row attends to
};

#if __CUDA_ARCH__ >= 900

// A place in a ring, and the parity of its barriers this time round.
template <int kSlots>
struct Turn {
  int slot = 0;
  std::uint32_t parity = 0;

  __device__ __forceinline__ void step() {
    if (++slot < kSlots) return;
    slot = 0;
    parity ^= 1U;
  }
};

// In shared memory: tiles, for each a barrier that says it is there and one that all have read it.
template <int kSlots>
class TileQueue {
 public:
  __device__ __forceinline__ TileQueue(std::uint32_t memory, std::uint32_t barriers)
      : memory_(memory), barriers_(barriers) {}

  // One thread, before any other calls. `readers`: warps.
  __device__ __forceinline__ void init(int readers) const {
    for (int i = 0; i < kSlots; ++i) {
      init_barrier(full(i));
      init_barrier(empty(i), readers * kWarpArrivals);
    }
  }
  __device__ __forceinline__ void put(const QueryTile& tile) {
    wait_for(empty(turn_.slot), turn_.parity ^ 1U);
    if (threadIdx.x % 32 == 0) {
      store(0, tile.first_row, tile.rows, tile.position, tile.kv_head);
      store(16, tile.first_block, tile.first_slab, tile.slabs, tile.token_end);
      arrive(full(turn_.slot));
    }
    turn_.step();
  }
  __device__ __forceinline__ QueryTile get() {
    wait_for(full(turn_.slot), turn_.parity);
    QueryTile tile;
    load(0, tile.first_row, tile.rows, tile.position, tile.kv_head);
    load(16, tile.first_block, tile.first_slab, tile.slabs, tile.token_end);
    __syncwarp();
    arrive_warp(empty(turn_.slot));
    turn_.step();
    return tile;
  }

 private:
  __device__ __forceinline__ std::uint32_t full(int slot) const { return barriers_ + 16 * slot; }
  __device__ __forceinline__ std::uint32_t empty(int slot) const {
    return barriers_ + 16 * slot + 8;
  }
  __device__ __forceinline__ std::uint32_t tile_at() const {
    return memory_ + turn_.slot * static_cast<int>(sizeof(QueryTile));
  }
  __device__ __forceinline__ void store(int at, int a, int b, int c, int d) const {
    asm volatile("st.shared.v4.s32 [%0], {%1, %2, %3, %4};" ::"r"(tile_at() + at), "r"(a), "r"(b),
                 "r"(c), "r"(d)
                 : "memory");
  }
  __device__ __forceinline__ void load(int at, int& a, int& b, int& c, int& d) const {
    asm volatile("ld.shared.v4.s32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(a), "=r"(b), "=r"(c), "=r"(d)
                 : "r"(tile_at() + at)
                 : "memory");
  }

  std::uint32_t memory_;
  std::uint32_t barriers_;
  Turn<kSlots> turn_;
};

// The tile of `rows` rows from `first_row` of the sequence on.
__device__ __forceinline__ QueryTile tile_of(const AttentionArguments& a,
                                             const RaggedBatch::Sequence& sequence, int kv_head,
                                             int first_row, int rows) {
  QueryTile tile;
  tile.first_row = sequence.first_row + first_row;
  tile.rows = rows;
  tile.position = sequence.context_tokens + first_row;
  tile.kv_head = kv_head;
  tile.first_block = sequence.first_block;
  tile.token_end = tile.position + rows;
  const int token_begin = a.window > 0 ? max(0, tile.position + 1 - a.window) : 0;
  tile.first_slab = token_begin / kSlabTokens;
  tile.slabs = (tile.token_end + kSlabTokens - 1) / kSlabTokens - tile.first_slab;
  return tile;
}

// Puts the tiles of this block's items into the queue, and at last one without rows.
template <int kRows, int kSlots>
__device__ __forceinline__ void find_tiles(const AttentionArguments& a, int fewest_rows,
                                           unsigned* counter, TileQueue<kSlots>& queue) {
  const int lane = threadIdx.x % 32;
  const int tile_rows = kRows / a.group;
  const int windows = (a.rows + tile_rows - 1) / tile_rows;
  const int items = windows * a.kv_heads;
  for (;;) {
    unsigned item = 0;
    if (lane == 0) item = atomicAdd(counter, 1U);
    item = __shfl_sync(~0U, item, 0);
    if (item >= items) {
      // Each block comes here once: the last has no other behind it.
      if (lane == 0 && item == items + gridDim.x - 1) *counter = 0;
      break;
    }
    const int kv_head = static_cast<int>(item) % a.kv_heads;
    const int begin = (windows - 1 - static_cast<int>(item) / a.kv_heads) * tile_rows;
    const int end = min(a.rows, begin + tile_rows);
    for (int first = a.row_sequence[begin]; first < a.sequence_count; first += 32) {
      // Each lane looks at one sequence: at most one of its tiles begins in the window.
      RaggedBatch::Sequence sequence;
      int row = 0;  // that tile's first
      bool begins = false;
      bool beyond = true;
      if (first + lane < a.sequence_count) {
        sequence = a.sequences[first + lane];
        row = (max(0, begin - sequence.first_row) + tile_rows - 1) / tile_rows * tile_rows;
        beyond = sequence.first_row >= end;
        begins =
            sequence.rows > fewest_rows && row < sequence.rows && sequence.first_row + row < end;
      }
      const QueryTile tile =
          tile_of(a, sequence, kv_head, row, min(tile_rows, sequence.rows - row));
      for (unsigned found = __ballot_sync(~0U, begins); found != 0; found &= found - 1) {
        const int from = __ffs(found) - 1;
        QueryTile next;
        next.first_row = __shfl_sync(~0U, tile.first_row, from);
        next.rows = __shfl_sync(~0U, tile.rows, from);
        next.position = __shfl_sync(~0U, tile.position, from);
        next.kv_head = kv_head;
        next.first_block = __shfl_sync(~0U, tile.first_block, from);
        next.first_slab = __shfl_sync(~0U, tile.first_slab, from);
        next.slabs = __shfl_sync(~0U, tile.slabs, from);
        next.token_end = __shfl_sync(~0U, tile.token_end, from);
        queue.put(next);
      }
      if (__any_sync(~0U, beyond)) break;
    }
  }
  queue.put(QueryTile{});
}

#endif

}  // namespace hangar::cuda::attend::hopper
