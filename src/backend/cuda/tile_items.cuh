// What the blocks of a tile product share out: tiles of W by tiles of x by parts of the columns.
//
// Promise: Item(items, n) is the n-th. Parts of the columns change first, then tiles of x, up to so
//   many that they stay in the second-level cache (ItemBy), then tiles of W. A block takes every
//   gridDim.x-th, from its own number on: ItemWalk, items_of_block(); WalkBy any such steps.
//   halve_last() has the last items done in halves of their rows of x, where most blocks would have
//   nothing to do meanwhile.
// Units: chunks: slotfuls of columns.
// Threads: values; device functions.
#pragma once

#include <cstdint>

namespace hangar::cuda {

struct TileItems {
  std::int32_t tiles = 0;  // of W
  std::int32_t x_tiles = 1;
  std::int32_t split = 1;   // of the columns
  std::int32_t chunks = 0;  // of an item
  std::int32_t halved = 0;  // of all

  void halve_last(int blocks) {
    const int rest = tiles * x_tiles * split % blocks;
    halved = 2 * rest <= blocks ? rest : 0;
  }
  constexpr int count() const { return tiles * x_tiles * split + halved; }
};

#ifdef __CUDACC__
template <int kTilesOfX>
struct ItemBy {
  bool halved;
  int half;    // of its rows of x; 0 of a whole
  int tile;    // of W
  int x_tile;  // of x
  int first;   // chunk of its columns
  __device__ ItemBy(const TileItems& items, int number) {
    const int in_halves = number + 2 * items.halved - items.count();
    halved = in_halves >= 0;
    half = halved ? in_halves % 2 : 0;
    if (halved) number -= in_halves - in_halves / 2;
    first = number % items.split * items.chunks;
    const int at = number / items.split;
    const int all = kTilesOfX * items.tiles;
    const int begin = at / all * kTilesOfX;
    const int wide = max(1, min(kTilesOfX, items.x_tiles - begin));  // behind the last: whatever
    tile = at % all / wide;
    x_tile = begin + at % all % wide;
  }
};

// A way through every `stride`-th item from the `first` on, a chunk at a time.
template <int kTilesOfX>
struct WalkBy {
  const TileItems& items;
  int number;
  int stride;
  ItemBy<kTilesOfX> item{items, number};
  int chunk = 0;

  __device__ WalkBy(const TileItems& of, int first, int stride)
      : items(of), number(first), stride(stride) {}
  __device__ int column_chunk() const { return item.first + chunk; }
  __device__ void step() {
    if (++chunk < items.chunks) return;
    chunk = 0;
    number += stride;
    item = ItemBy<kTilesOfX>(items, number);
  }
};

using Item = ItemBy<16>;
// A block's.
struct ItemWalk : WalkBy<16> {
  __device__ explicit ItemWalk(const TileItems& of)
      : WalkBy(of, static_cast<int>(blockIdx.x), static_cast<int>(gridDim.x)) {}
};

__device__ __forceinline__ int items_of_block(const TileItems& items) {
  const int blocks = static_cast<int>(gridDim.x);
  return (items.count() - static_cast<int>(blockIdx.x) + blocks - 1) / blocks;
}
#endif

}  // namespace hangar::cuda
