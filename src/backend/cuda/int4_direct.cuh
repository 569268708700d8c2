// The kernel of 4-bit products of one or two rows, x in 16 bits.
//
// Promise: direct_kernel<T, layout, rows>() is int4_matmul() for inputs of T, or normed on the way.
//   A block has `strips * parts` warps that multiply and one that brings W; x lies in shared memory
//   as long as the kernel runs (int4_direct_inputs.cuh). Each 128 columns of a strip are four
//   instructions of 16 x 8 x 32 int8, whose columns of x are three int8 numbers of each: as good as
//   16 bits, at half the instructions. A warp takes every parts-th block of columns (gated: of both
//   matrices), and the parts of a strip meet in shared memory at its end.
// Threads: as int4_matmul().
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "backend/cuda/direct_ring.cuh"
#include "backend/cuda/gate.cuh"
#include "backend/cuda/hopper.cuh"
#include "backend/cuda/int4_direct_inputs.cuh"
#include "backend/cuda/int4_math.cuh"
#include "backend/cuda/product_output.cuh"
#include "backend/cuda/tensor_map.h"

namespace hangar::cuda::int4 {

inline constexpr int kDirectThreads = 32 * (kMostDirectWarps + 1);

struct DirectArguments {
  std::int32_t strips = 0;  // of a tile, of one matrix
  std::int32_t parts = 0;
  bool gated = false;  // then as many of another behind them
  std::int32_t per_slot = 0;
  std::int32_t blocks = 0;
  std::int32_t chunks = 0;
  std::int32_t tiles = 0;
  std::int32_t slots = 0;
  std::int32_t slot_bytes = 0;
  std::int32_t under_way = 0;  // slots, at most
  bool zeros = false;          // of pairs: the second is a zero
  direct::Source x;
  OutputTarget y;
  GateFunction gate = GateFunction::kSilu;
};

#if __CUDA_ARCH__ >= 900

// A lane's share of a block of x: of the instruction's column lane / 4.
template <int kGroups>
struct DirectNumbers {
  std::uint32_t words[8];
  float2 factors[kGroups];  // of the lane's results

  // factors: `stride` apart.
  __device__ __forceinline__ DirectNumbers(const std::byte* x, int half_bytes,
                                           const std::byte* its_factors, int stride) {
    const uint4 a = *reinterpret_cast<const uint4*>(x);
    const uint4 b = *reinterpret_cast<const uint4*>(x + half_bytes);
    words[0] = a.x, words[1] = a.y, words[2] = a.z, words[3] = a.w;
    words[4] = b.x, words[5] = b.y, words[6] = b.z, words[7] = b.w;
#pragma unroll
    for (int i = 0; i < kGroups; ++i) {
      factors[i] = *reinterpret_cast<const float2*>(its_factors + i * stride);
    }
  }
};

// A lane's share of a block of W.
template <Layout kLayout>
struct DirectBlock {
  std::uint32_t words[8];
  RowParameters<kLayout> first;
  RowParameters<kLayout> second;

  __device__ __forceinline__ DirectBlock(const std::byte* weight, int lane)
      : first(weight, lane / 4), second(weight, lane / 4 + 8) {
    load_words(weight, lane, words);
  }

  // sums[half] += W times x, a lane's share: of hi and mid, or of lo. high: 256, or of lo, which is
  // there twice, 255.
  __device__ __forceinline__ void multiply(float (&sums)[2],
                                           const DirectNumbers<kGroups<kLayout>>& x, int high,
                                           bool zeros) const {
    constexpr int kPieces = 4 / kGroups<kLayout>;  // of 32 columns, in a group
#pragma unroll
    for (int group = 0; group < kGroups<kLayout>; ++group) {
      int d[2][4] = {};  // two, that neither waits for the other
#pragma unroll
      for (int i = 0; i < kPieces; ++i) {
        const int at = 2 * (group * kPieces + i);
        multiply_words(d[i % 2], words[at], words[at + 1], x.words[at], x.words[at + 1]);
      }
      const float2 factor = x.factors[group];
      const Parameters p = first.at(group, zeros);
      const Parameters q = second.at(group, zeros);
      const int low_sum = (d[0][0] + d[1][0]) * high + (d[0][1] + d[1][1]);
      const int high_sum = (d[0][2] + d[1][2]) * high + (d[0][3] + d[1][3]);
      sums[0] += static_cast<float>(low_sum) * (p.scale * factor.x) + p.minimum * factor.y;
      sums[1] +=
          static_cast<float>(high_sum) * (q.scale * (factor.x / 16.0F)) + q.minimum * factor.y;
    }
  }
};

// Of a lane's two sums one, whole: of the strip's row lane / 4, or, where lane % 2 is 1, 8 on.
__device__ __forceinline__ float joined(const float (&sums)[2], bool odd) {
  const float other = __shfl_xor_sync(~0U, odd ? sums[0] : sums[1], 1);
  return (odd ? sums[1] : sums[0]) + other;
}

#endif

template <typename T, Layout kLayout, int kRows>
__global__ void __launch_bounds__(kDirectThreads)
    direct_kernel(const __grid_constant__ CUtensorMap weight,
                  const __grid_constant__ DirectArguments a) {
#if __CUDA_ARCH__ >= 900
  constexpr int kBytes = kBlockBytes<kLayout>;
  constexpr int kGroupCount = kGroups<kLayout>;
  constexpr int kStride = kRows * static_cast<int>(sizeof(DirectFactors));
  constexpr bool kTwo = kLayout == Layout::kGroup128;  // blocks at once: others' have more beside
  using Inputs = DirectInputs<T, kRows, kGroupCount>;
  using Numbers = DirectNumbers<kGroupCount>;
  using Block = DirectBlock<kLayout>;
  extern __shared__ __align__(128) std::byte memory[];
  __shared__ __align__(8) std::uint64_t barriers[2 * kMostDirectSlots];
  direct::Ring ring(barriers);
  const int parts = a.parts;
  const int warps = a.strips * parts;
  const int warp = __shfl_sync(~0U, static_cast<int>(threadIdx.x) / 32, 0);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  if (threadIdx.x == 0) {
    ring.init(a.slots, warps);
    prefetch_map(&weight);
  }
  __syncthreads();
  cudaTriggerProgrammaticLaunchCompletion();
  if (warp == warps) {
    if (lane != 0) return;
    const std::uint32_t begin = shared_address(memory);
    const int matrices = a.gated ? 2 : 1;
    ring.fill(a.slots, a.per_slot * a.strips * matrices * kBytes, a.tiles, a.chunks, a.under_way,
              [&](int slot, std::uint32_t full, int tile, int chunk) {
                copy_box(begin + slot * a.slot_bytes, &weight, full, CacheFor::kOnce, 0,
                         chunk * a.per_slot, tile * a.strips, 0);
              });
    return;
  }
  std::byte* const numbers = memory + a.slots * a.slot_bytes;
  const direct::InputRows<kRows> rows(a.x, a.blocks * Inputs::kBlockPieces, warps * 32);
  Inputs(numbers, a.blocks).fill(rows);
  direct::sync(warps * 32);
  const int slots = a.slots;
  const int slot_bytes = a.slot_bytes;
  const int per_slot = a.per_slot;
  const int blocks = a.blocks;
  const bool gated = a.gated;
  const int strip = warp % a.strips;
  const int part = warp / a.strips;
  const int other_matrix = a.strips * per_slot * kBytes;
  // The instruction's columns are a row's hi, mid, lo and lo again, then the other's or the same.
  const std::byte* const x =
      numbers + lane / 16 % kRows * 192 + min(lane / 4 % 4, 2) * 64 + lane % 4 * 16;
  // And so a lane's results are of row lane % 4 / 2: of hi and mid, or of lo.
  const bool odd = lane % 2 != 0;
  const int row = lane % 4 / 2;
  const int high = odd ? 255 : 256;
  const std::byte* const factors = numbers + blocks * Inputs::kBlockBytes +
                                   row % kRows * static_cast<int>(sizeof(DirectFactors)) +
                                   (odd ? sizeof(float2) : 0);
  const auto inputs_of = [&](int block) {
    return Numbers(x + block * Inputs::kBlockBytes, Inputs::kHalfBytes,
                   factors + block * kGroupCount * kStride, kStride);
  };
  float factor = 1.0F;
  int turn = 0;
  for (int tile = static_cast<int>(blockIdx.x); tile < a.tiles;
       tile += static_cast<int>(gridDim.x), turn ^= 1) {
    float sums[2] = {};
    float others[2] = {};  // gated: the other matrix's; else more of the same
    int block = part;      // of all blocks those whose number is `part` modulo parts
    for (int first = 0; first < blocks; first += per_slot) {
      wait_for(ring.full(), ring.parity);
      const int end = min(first + per_slot, blocks);
      const std::byte* const here =
          memory + ring.at * slot_bytes + (strip * per_slot - first) * kBytes;
      if (gated) {
        for (; block < end; block += parts) {
          const Numbers its = inputs_of(block);
          const Block gate(here + block * kBytes, lane);
          const Block up(here + block * kBytes + other_matrix, lane);
          gate.multiply(sums, its, high, a.zeros);
          up.multiply(others, its, high, a.zeros);
        }
      } else {
        for (; kTwo && block + parts < end; block += 2 * parts) {
          const Numbers its = inputs_of(block);
          const Block one(here + block * kBytes, lane);
          const Numbers next = inputs_of(block + parts);
          const Block two(here + (block + parts) * kBytes, lane);
          one.multiply(sums, its, high, a.zeros);
          two.multiply(others, next, high, a.zeros);
        }
        for (; block < end; block += parts) {
          Block(here + block * kBytes, lane).multiply(sums, inputs_of(block), high, a.zeros);
        }
      }
      __syncwarp();
      arrive_warp(ring.empty());
      ring.step(slots);
    }
    if (!gated) {
      sums[0] += others[0];
      sums[1] += others[1];
    }
    float value = joined(sums, odd);
    float up = gated ? joined(others, odd) : 0.0F;
    if (parts > 1) {
      // Two turns' rooms: who writes the next has passed this one's barrier.
      auto* const room = reinterpret_cast<float2*>(
                             numbers + blocks * int4_direct_block_bytes(kRows, kGroupCount)) +
                         turn * warps * 32 + lane;
      room[warp * 32] = {value, up};
      direct::sync(warps * 32);
      if (part > 0) continue;
      for (int p = 1; p < parts; ++p) {
        const float2 both = room[(p * a.strips + strip) * 32];
        value += both.x;
        up += both.y;
      }
    }
    const int output =
        (tile * a.strips + strip) * static_cast<int>(kInt4Strip) + lane / 4 + (odd ? 8 : 0);
    if (row >= kRows || output >= a.y.outputs) continue;
    if (tile == static_cast<int>(blockIdx.x)) factor = rows.factor(row);
    value *= factor;
    up *= factor;
    if (gated) value = Gate(a.gate)(value, up);
    a.y.put(row, output, value);
  }
#endif
}

}  // namespace hangar::cuda::int4
