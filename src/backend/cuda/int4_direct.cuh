// The kernel of 4-bit products of one or two rows, x in 16 bits.
//
// Promise: direct_kernel<T, layout, rows>() is int4_matmul() for inputs of T, or normed on the way.
//   A block has `strips * parts` warps that multiply (gated: twice as many) and one that brings W;
//   x lies in shared memory as long as the kernel runs (int4_direct_inputs.cuh). Each 128 columns
//   of a strip are eight instructions of 16 x 8 x 16, whose eight columns of x are the rows, again
//   and again; a warp takes every parts-th block of columns, and the parts of a strip, and a gate's
//   and an up matrix's, meet in shared memory at its end.
// Threads: as int4_matmul().
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "backend/cuda/direct_ring.cuh"
#include "backend/cuda/gate.cuh"
#include "backend/cuda/hopper.cuh"
#include "backend/cuda/int4_direct_inputs.cuh"
#include "backend/cuda/int4_math.cuh"
#include "backend/cuda/mma.cuh"
#include "backend/cuda/product_output.cuh"
#include "backend/cuda/tensor_map.h"

namespace hangar::cuda::int4 {

inline constexpr int kDirectThreads = 32 * (kMostDirectWarps + 1);

struct DirectArguments {
  std::int32_t strips = 0;  // of a tile, of one matrix
  std::int32_t parts = 0;
  bool gated = false;  // then twice as many: the gate's, then the other's
  std::int32_t per_slot = 0;
  std::int32_t blocks = 0;
  std::int32_t chunks = 0;
  std::int32_t tiles = 0;
  std::int32_t slots = 0;
  std::int32_t slot_bytes = 0;
  bool zeros = false;  // of pairs: the second is a zero
  direct::Source x;
  OutputTarget y;
  GateFunction gate = GateFunction::kSilu;
};

#if __CUDA_ARCH__ >= 900

// d += 16 columns of 16 rows (a lane's word of W) times x. u's bits are its numbers' as they lie.
template <typename T>
__device__ __forceinline__ void multiply_word(float (&d)[4], std::uint32_t word, std::uint32_t b0,
                                              std::uint32_t b1) {
  constexpr std::uint32_t kLow = 0x000F000FU;
  constexpr std::uint32_t kHigh = 0x00F000F0U;
  const std::uint32_t odd = word >> 8U;
  const std::uint32_t a[4] = {word & kLow, word & kHigh, odd & kLow, odd & kHigh};
  mma<T>(d, a, b0, b1);
}

// A block's sums of x, loaded at once: of groups, and of rows in each.
template <int kCount>
struct alignas(kCount == 1 ? 8 : 16) DirectSums {
  float2 of[kCount];
};

// sums[row][half] += a block of W times the same columns of x.
template <typename T, Layout kLayout, int kRows>
__device__ __forceinline__ void multiply_block(float (&sums)[kRows][2], const std::byte* weight,
                                               const std::byte* x,
                                               const DirectSums<kGroups<kLayout> * kRows>& x_sums,
                                               int lane, bool zeros) {
  constexpr int kGroupCount = kGroups<kLayout>;
  constexpr int kPieces = 4 / kGroupCount;  // of 32 columns, in a group
  std::uint32_t words[8];
  load_words(weight, lane, words);
  const RowParameters<kLayout> low(weight, lane / 4);
  const RowParameters<kLayout> high(weight, lane / 4 + 8);
#pragma unroll
  for (int group = 0; group < kGroupCount; ++group) {
    float d[2][4] = {};  // two, that neither waits for the other
#pragma unroll
    for (int i = 0; i < kPieces; ++i) {
      const int piece = group * kPieces + i;
      const uint4 b = *reinterpret_cast<const uint4*>(x + piece * (64 * kRows));
      multiply_word<T>(d[0], words[2 * piece], b.x, b.y);
      multiply_word<T>(d[1], words[2 * piece + 1], b.z, b.w);
    }
    const Parameters p = low.at(group, zeros);
    const Parameters q = high.at(group, zeros);
#pragma unroll
    for (int row = 0; row < kRows; ++row) {
      const float2 x_sum = x_sums.of[group * kRows + row];
      sums[row][0] += (d[0][row] + d[1][row]) * p.scale + p.minimum * x_sum.x;
      sums[row][1] += (d[0][2 + row] + d[1][2 + row]) * q.scale + q.minimum * x_sum.y;
    }
  }
}

#endif

template <typename T, Layout kLayout, int kRows>
__global__ void __launch_bounds__(kDirectThreads)
    direct_kernel(const __grid_constant__ CUtensorMap weight,
                  const __grid_constant__ DirectArguments a) {
#if __CUDA_ARCH__ >= 900
  constexpr int kBytes = kBlockBytes<kLayout>;
  using Inputs = DirectInputs<T, kRows, kGroups<kLayout>>;
  using Sums = DirectSums<kGroups<kLayout> * kRows>;
  using Units = DirectUnits<T>;
  extern __shared__ __align__(128) std::byte memory[];
  __shared__ __align__(8) std::uint64_t barriers[2 * kMostDirectSlots];
  direct::Ring ring{shared_address(barriers)};
  const int strips = a.gated ? 2 * a.strips : a.strips;
  const int warps = strips * a.parts;
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
    ring.fill(a.slots, a.per_slot * strips * kBytes, a.tiles, a.chunks,
              [&](int slot, std::uint32_t full, int tile, int chunk) {
                copy_box(begin + slot * a.slot_bytes, &weight, full, CacheFor::kOnce, 0,
                         chunk * a.per_slot, tile * a.strips, 0);
              });
    return;
  }
  std::byte* const numbers = memory + a.slots * a.slot_bytes;
  const auto* const x_sums =
      reinterpret_cast<const Sums*>(numbers + a.blocks * Inputs::kBlockBytes);
  Inputs(numbers, a.blocks, warps * 32).fill(a.x);
  direct::sync(warps * 32);
  const int strip = warp % strips;
  const int part = warp / strips;
  // Of each piece of x a lane takes its quad's numbers, of row lane / 4 modulo rows.
  const std::byte* const x = numbers + lane / 4 % kRows * 64 + lane % 4 * 16;
  // Every lane of a quad has the same sums in the end; each goes on with one: of outputs 8 and on
  // where lane % 2 is 1, of row lane % 4 / 2.
  const bool high = lane % 2 != 0;
  const int row = lane % 4 / 2;
  int turn = 0;
  for (int tile = static_cast<int>(blockIdx.x); tile < a.tiles;
       tile += static_cast<int>(gridDim.x), turn ^= 1) {
    float sums[kRows][2] = {};
    int block = part;  // of all blocks those whose number is `part` modulo parts
    for (int chunk = 0; chunk < a.chunks; ++chunk) {
      wait_for(ring.full(), ring.parity);
      const int first = chunk * a.per_slot;
      const int end = min(first + a.per_slot, a.blocks);
      const std::byte* const here = memory + ring.at * a.slot_bytes + strip * a.per_slot * kBytes;
      for (; block < end; block += a.parts) {
        multiply_block<T, kLayout, kRows>(sums, here + (block - first) * kBytes,
                                          x + block * Inputs::kBlockBytes, x_sums[block], lane,
                                          a.zeros);
      }
      __syncwarp();
      if (lane == 0) arrive(ring.empty());
      ring.step(a.slots);
    }
    float value = high ? sums[0][1] : sums[0][0];
    if (kRows == 2 && row != 0) value = high ? sums[kRows - 1][1] : sums[kRows - 1][0];
    float up = 0.0F;
    if (warps > 1) {
      // Two turns' rooms: who writes the next has passed this one's barrier.
      auto* const room =
          reinterpret_cast<float*>(numbers +
                                   a.blocks * int4_direct_block_bytes(kRows, kGroups<kLayout>)) +
          turn * warps * 32 + lane;
      room[warp * 32] = value;
      direct::sync(warps * 32);
      if (warp >= a.strips) continue;
      for (int p = 1; p < a.parts; ++p) value += room[(p * strips + warp) * 32];
      if (a.gated) {
        for (int p = 0; p < a.parts; ++p) up += room[(p * strips + a.strips + warp) * 32];
      }
    }
    const int output =
        (tile * a.strips + strip) * static_cast<int>(kInt4Strip) + lane / 4 + (high ? 8 : 0);
    if (row >= kRows || output >= a.y.outputs) continue;
    const float unit = high ? 1.0F / Units::kHigh : 1.0F / Units::kLow;
    value *= unit;
    if (a.gated) value = Gate(a.gate)(value, up * unit);
    a.y.put(row, output, value);
  }
#endif
}

}  // namespace hangar::cuda::int4
