// Rotation by vectors.
//
// Promise: rope_vectors() does what rope_elements() does, for heads of whole pieces of 16 elements
//   at addresses for 16-byte loads and of at most kMostPairs pairs.
// Threads: a kernel, of at most kMostThreads.
#pragma once

#include "backend/cuda/rope_heads.cuh"

namespace hangar::cuda::rotation {

inline constexpr int kMostThreads = 384;  // where there are many rows: all heads of a row at once
inline constexpr int kPairs = 8;          // a thread's: two chunks of 8 elements
inline constexpr int kMostPairs = 128;    // of a head
inline constexpr int kManyRows = 4;       // of a block, where there are many

// One thread for each 16 elements of a head; it goes through heads that are as far apart as a block
// has heads at once, of one row or several. Angles and places are worked out once in a block. Block
// y of the grid has part of a row's heads. In FP8 a head's threads are a power of 2, so that they
// are of one warp.
template <typename T>
__global__ void __launch_bounds__(kMostThreads, 3)
    rope_vectors(const __grid_constant__ Arguments a) {
  __shared__ __align__(16) float sines[kManyRows][kMostPairs];
  __shared__ __align__(16) float cosines[kManyRows][kMostPairs];
  __shared__ Place places[kManyRows];
  const int rows_of_block = a.few ? 1 : kManyRows;
  const std::int64_t first_row = static_cast<std::int64_t>(blockIdx.x) * rows_of_block;
  const int rows = static_cast<int>(min(std::int64_t{rows_of_block}, a.rows - first_row));
  const std::int32_t piece = threadIdx.x % a.head_threads;
  const bool idle = 2 * kPairs * piece >= a.head_dim;
  const std::int32_t heads_at_once = blockDim.x / a.head_threads;
  const std::int32_t heads = a.q_heads + 2 * a.kv_heads;
  const std::int32_t block_head = blockIdx.y * heads_at_once;
  const std::int32_t first_head = block_head + threadIdx.x / a.head_threads;
  const std::int32_t turned_heads = a.q_heads + a.kv_heads;
  const bool turned = kPairs * piece < a.angles.pairs;
  const bool fp8 = a.kv_heads > 0 && a.layer.type == KvType::kFp8;

  std::int32_t at[2] = {2 * kPairs * piece, 2 * kPairs * piece + kPairs};
  if (turned && !a.angles.interleaved) {
    at[0] = kPairs * piece;
    at[1] = at[0] + a.angles.pairs;
  }
  const auto find_places_and_angles = [&] {
    const auto thread = static_cast<std::int32_t>(threadIdx.x);
    const auto position_of = [&](int r) {
      return a.positions != nullptr ? a.positions[first_row + r] : 0;
    };
    if (thread < rows && a.kv_heads > 0) {
      places[thread] = place_of(a, first_row + thread, position_of(thread));
    }
    if (block_head >= turned_heads) return;
    for (std::int32_t i = thread; i < rows * a.angles.pairs;
         i += static_cast<std::int32_t>(blockDim.x)) {
      const std::int32_t r = i / a.angles.pairs;
      const std::int32_t pair = i % a.angles.pairs;
      sine_and_cosine(a.angles, position_of(r), pair, sines[r][pair], cosines[r][pair]);
    }
  };
  // Few rows: while the kernel before still runs. Many: while what is to be turned comes.
  if (a.few) find_places_and_angles();
  begin_reading();

  RawElements<T, kPairs> raw[2];
  const auto bring = [&](int r, std::int32_t head) {
    if (r >= rows || head >= heads || idle) return;
    const T* from = source_of<T>(a, first_row + r, head);
    raw[0].load(from + at[0]);
    raw[1].load(from + at[1]);
  };
  bring(0, first_head);
  if (!a.few) find_places_and_angles();
  __syncthreads();
  const std::int32_t step = heads_at_once * gridDim.y;
  int r = 0;
  std::int32_t done = 0;
  while (r < rows) {  // all of the block together
    const std::int32_t head = first_head + done;
    const std::int64_t row = first_row + r;
    const int now = r;
    const Place place = places[r];
    done += step;
    if (block_head + done >= heads) {
      done = 0;
      ++r;
    }
    Head<T> h;
    if (head < heads && !idle) h = head_of<T>(a, row, head, place);
    const bool turns = h.from != nullptr && turned && head < turned_heads;
    float low[kPairs] = {};
    float high[kPairs] = {};
    if (turns || h.cached != nullptr) {
#pragma unroll
      for (int i = 0; i < kPairs; ++i) {
        low[i] = raw[0][i];
        high[i] = raw[1][i];
      }
    }
    bring(r, first_head + done);
    if (turns) {
      float sine[kPairs];
      float cosine[kPairs];
      load<kPairs>(sines[now] + kPairs * piece, sine);
      load<kPairs>(cosines[now] + kPairs * piece, cosine);
      if (a.angles.interleaved) {
#pragma unroll
        for (int i = 0; i < kPairs / 2; ++i) {
          turn(low[2 * i], low[2 * i + 1], sine[i], cosine[i]);
          turn(high[2 * i], high[2 * i + 1], sine[kPairs / 2 + i], cosine[kPairs / 2 + i]);
        }
      } else {
#pragma unroll
        for (int i = 0; i < kPairs; ++i) turn(low[i], high[i], sine[i], cosine[i]);
      }
      store<kPairs>(h.back + at[0], low);
      store<kPairs>(h.back + at[1], high);
    }
    RowScale scale;
    if (fp8) {
      std::uint32_t largest = 0;
#pragma unroll
      for (int i = 0; i < kPairs; ++i) {
        largest = max(largest, max(magnitude(low[i]), magnitude(high[i])));
      }
      for (int apart = a.head_threads / 2; apart > 0; apart /= 2) {
        largest = max(largest, __shfl_xor_sync(0xFFFFFFFFU, largest, apart));
      }
      scale = RowScale(largest);
      if (h.cached != nullptr && piece == 0) store_scale(a.layer, scale, h.cached, place.slot);
    }
    if (h.cached != nullptr) {
      store_cached<kPairs>(a.layer, scale, h.cached, place.slot, at[0], low);
      store_cached<kPairs>(a.layer, scale, h.cached, place.slot, at[1], high);
    }
  }
}

}  // namespace hangar::cuda::rotation
