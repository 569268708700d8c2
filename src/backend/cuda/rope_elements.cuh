// Rotation of any size of head, element by element.
//
// Promise: rope_elements() turns what Arguments says and writes it to the cache; a block has a row,
//   or a part of its heads, a warp each.
// Threads: a kernel, of kThreads.
#pragma once

#include "backend/cuda/rope_heads.cuh"

namespace hangar::cuda::rotation {

inline constexpr int kThreads = 128;
inline constexpr int kWarps = kThreads / 32;

// A pair of a head, or two elements beside the pairs; the second may not be there.
struct Piece {
  std::int32_t at[2];
  float values[2] = {0.0F, 0.0F};
  bool turns;
  bool second;
};

template <typename T>
__device__ inline Piece piece_of(const Arguments& a, const Head<T>& h, bool turned,
                                 std::int32_t position, std::int32_t i) {
  const std::int32_t pairs = a.angles.pairs;
  Piece piece;
  piece.turns = turned && i < pairs;
  if (i >= pairs) {
    piece.at[0] = 2 * i;
    piece.at[1] = 2 * i + 1;
  } else {
    piece.at[0] = a.angles.interleaved ? 2 * i : i;
    piece.at[1] = a.angles.interleaved ? 2 * i + 1 : i + pairs;
  }
  piece.second = piece.at[1] < a.head_dim;
  piece.values[0] = to_float(h.from[piece.at[0]]);
  if (piece.second) piece.values[1] = to_float(h.from[piece.at[1]]);
  if (piece.turns) {
    float sine = 0.0F;
    float cosine = 0.0F;
    sine_and_cosine(a.angles, position, i, sine, cosine);
    turn(piece.values[0], piece.values[1], sine, cosine);
  }
  return piece;
}

// Any size: a warp for each head, a lane for two elements at a time.
template <typename T>
__global__ void __launch_bounds__(kThreads) rope_elements(const __grid_constant__ Arguments a) {
  const std::int64_t row = blockIdx.x;
  const std::int32_t pieces = (a.head_dim + 1) / 2;
  const std::int32_t heads = a.q_heads + 2 * a.kv_heads;
  const int lane = threadIdx.x % 32;
  std::int32_t position = 0;
  if (a.positions != nullptr) position = a.positions[row];
  Place place{};
  if (a.kv_heads > 0) place = place_of(a, row, position);
  begin_reading();
  for (std::int32_t head = blockIdx.y * kWarps + threadIdx.x / 32; head < heads;
       head += kWarps * gridDim.y) {
    const Head<T> h = head_of<T>(a, row, head, place);
    const bool turned = head < a.q_heads + a.kv_heads;
    RowScale scale;
    if (h.cached != nullptr && a.layer.type == KvType::kFp8) {
      std::uint32_t largest = 0;
      for (std::int32_t i = lane; i < pieces; i += 32) {
        const Piece piece = piece_of(a, h, turned, position, i);
        largest = max(largest, max(magnitude(piece.values[0]), magnitude(piece.values[1])));
      }
      scale = RowScale(__reduce_max_sync(0xFFFFFFFFU, largest));
      if (lane == 0) store_scale(a.layer, scale, h.cached, place.slot);
    }
    for (std::int32_t i = lane; i < pieces; i += 32) {
      const Piece piece = piece_of(a, h, turned, position, i);
#pragma unroll
      for (int j = 0; j < 2; ++j) {
        if (j == 1 && !piece.second) continue;
        const float value[1] = {piece.values[j]};
        if (piece.turns) store<1>(h.back + piece.at[j], value);
        if (h.cached != nullptr) {
          store_cached<1>(a.layer, scale, h.cached, place.slot, piece.at[j], value);
        }
      }
    }
  }
}

}  // namespace hangar::cuda::rotation
