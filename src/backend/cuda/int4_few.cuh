// The kernel of 4-bit products of few rows.
//
// Promise: few_kernel<layout, gated>() is int4_matmul() for up to kInt4FewRows rows. A block has
//   `strips * parts` warps that multiply and one that brings. Each 128 columns of a strip are four
//   instructions of 16 x 8 x 32 int8, whose integer sums join the float sums with the group's
//   scale; a warp takes every parts-th block of columns, and the parts of a strip are added through
//   shared memory at its end.
// Threads: as int4_matmul().
#pragma once

#include <cuda_bf16.h>

#include "backend/cuda/gate.cuh"
#include "backend/cuda/hopper.cuh"
#include "backend/cuda/int4_math.cuh"
#include "backend/cuda/int4_plan.h"
#include "backend/cuda/product_output.cuh"
#include "backend/cuda/tensor_map.h"

namespace hangar::cuda::int4 {

inline constexpr int kMostFewWarps = 19;  // 96 registers a thread
inline constexpr int kFewThreads = 32 * (kMostFewWarps + 1);

struct FewArguments {
  std::int32_t strips = 0;
  std::int32_t parts = 0;
  std::int32_t per_slot = 0;
  std::int32_t blocks = 0;
  std::int32_t chunks = 0;
  std::int32_t tiles = 0;
  std::int32_t slots = 0;
  std::int32_t slot_bytes = 0;
  bool zeros = false;  // of pairs: the second is a zero
  const std::byte* x = nullptr;
  OutputTarget y;
  GateFunction gate = GateFunction::kSilu;
};

#if __CUDA_ARCH__ >= 900

// One thread: W's and x's copies, in order.
template <int kBytes, int kXBytes, int kMatrices>
__device__ void bring_few(const FewArguments& a, const CUtensorMap& weight, std::uint32_t memory,
                          std::uint32_t full, std::uint32_t empty, int total) {
  int tile = static_cast<int>(blockIdx.x);
  int chunk = 0;
  const int weight_bytes = a.per_slot * a.strips * kMatrices * kBytes;
  const auto x_blocks = [&](int c) { return min(a.per_slot, a.blocks - c * a.per_slot); };
  const auto bring_weight = [&](int slot) {
    // What lies outside W comes as zeros.
    expect(full + 8 * slot, weight_bytes + x_blocks(chunk) * kXBytes);
    copy_box(memory + slot * a.slot_bytes, &weight, full + 8 * slot, CacheFor::kOnce, 0,
             chunk * a.per_slot, tile * a.strips, 0);
    if (++chunk < a.chunks) return;
    chunk = 0;
    tile += static_cast<int>(gridDim.x);
  };
  const auto bring_x = [&](int c, int slot) {
    copy_bulk(memory + slot * a.slot_bytes + weight_bytes,
              a.x + static_cast<std::int64_t>(c) * a.per_slot * kXBytes, x_blocks(c) * kXBytes,
              full + 8 * slot, CacheFor::kOften);
  };
  const int first = min(a.slots, total);
  for (int slot = 0; slot < first; ++slot) bring_weight(slot);  // nobody's output
  cudaGridDependencySynchronize();
  for (int slot = 0; slot < first; ++slot) bring_x(slot % a.chunks, slot);
  int slot = 0;
  std::uint32_t parity = 0;
  for (int i = first; i < total; ++i) {
    wait_for(empty + 8 * slot, parity);
    bring_weight(slot);
    bring_x(i % a.chunks, slot);
    if (++slot < a.slots) continue;
    slot = 0;
    parity ^= 1;
  }
}

// Where a lane finds its words of a block of x: of row lane / 4, as quantize_few() lays them.
struct FewLane {
  int lane;
  int place;  // of the first half of its columns' words; the other is 16 bytes on or back
  int other;
  __device__ explicit FewLane(int l) : lane(l) {
    const int row = l / 4;
    place = row * 128 + l % 4 * 32 + (row & 1) * 16;
    other = (row & 1) != 0 ? -16 : 16;
  }
};

// sums += a block of W times the same columns of x.
template <Layout kLayout>
__device__ __forceinline__ void multiply_block(float (&sums)[4], const std::byte* weight,
                                               const std::uint32_t (&b)[8], const float* scales,
                                               const FewLane& at, bool zeros) {
  std::uint32_t words[8];
  load_words(weight, at.lane, words);
  const RowParameters<kLayout> low(weight, at.lane / 4);
  const RowParameters<kLayout> high(weight, at.lane / 4 + 8);
  const float2 x_scale = *reinterpret_cast<const float2*>(scales + 2 * (at.lane % 4));
  constexpr int kGroupCount = kGroups<kLayout>;
#pragma unroll
  for (int group = 0; group < kGroupCount; ++group) {
    int d[2][4] = {};
#pragma unroll
    for (int i = 0; i < 4 / kGroupCount; ++i) {
      const int k = group * (4 / kGroupCount) + i;
      multiply_words(d[i & 1], words[2 * k], words[2 * k + 1], b[2 * k], b[2 * k + 1]);
    }
    const float2 x_sum =
        *reinterpret_cast<const float2*>(scales + 8 * (1 + group) + 2 * (at.lane % 4));
    const Parameters p = low.at(group, zeros);
    const Parameters q = high.at(group, zeros);
    sums[0] += static_cast<float>(d[0][0] + d[1][0]) * (p.scale * x_scale.x) + p.minimum * x_sum.x;
    sums[1] += static_cast<float>(d[0][1] + d[1][1]) * (p.scale * x_scale.y) + p.minimum * x_sum.y;
    const float q_scale = q.scale / 16.0F;
    sums[2] += static_cast<float>(d[0][2] + d[1][2]) * (q_scale * x_scale.x) + q.minimum * x_sum.x;
    sums[3] += static_cast<float>(d[0][3] + d[1][3]) * (q_scale * x_scale.y) + q.minimum * x_sum.y;
  }
}

__device__ __forceinline__ void sync_few(int warps) {
  asm volatile("bar.sync 1, %0;" ::"r"(warps * 32) : "memory");
}

#endif

template <Layout kLayout, bool kGated>
__global__ void __launch_bounds__(kFewThreads)
    few_kernel(const __grid_constant__ CUtensorMap weight, const __grid_constant__ FewArguments a) {
#if __CUDA_ARCH__ >= 900
  constexpr int kMatrices = kGated ? 2 : 1;
  constexpr int kBytes = kBlockBytes<kLayout>;
  constexpr int kXBytes = int4_few_block_bytes(kGroups<kLayout>);
  extern __shared__ __align__(128) std::byte memory[];
  __shared__ __align__(8) std::uint64_t barriers[2 * kMostInt4Slots];
  const std::uint32_t full = shared_address(barriers);
  const std::uint32_t empty = full + 8 * kMostInt4Slots;
  const int warps = a.strips * a.parts;
  const int warp = __shfl_sync(~0U, static_cast<int>(threadIdx.x) / 32, 0);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  if (threadIdx.x == 0) {
    for (int i = 0; i < a.slots; ++i) {
      init_barrier(full + 8 * i);
      init_barrier(empty + 8 * i, warps * kWarpArrivals);
    }
    publish_barriers();
    prefetch_map(&weight);
  }
  __syncthreads();
  cudaTriggerProgrammaticLaunchCompletion();
  const int blocks = static_cast<int>(gridDim.x);
  const int tiles = (a.tiles - static_cast<int>(blockIdx.x) + blocks - 1) / blocks;
  if (warp == warps) {
    if (lane == 0) {
      bring_few<kBytes, kXBytes, kMatrices>(a, weight, shared_address(memory), full, empty,
                                            tiles * a.chunks);
    }
    return;
  }
  const int strip = warp % a.strips;
  const int part = warp / a.strips;
  const FewLane at(lane);
  const int weight_bytes = a.per_slot * a.strips * kMatrices * kBytes;
  auto* const join = reinterpret_cast<float4*>(memory + a.slots * a.slot_bytes);
  const int join_count = (a.parts - 1) * a.strips * kMatrices * 32;
  int slot = 0;
  std::uint32_t parity = 0;
  bool waited = false;
  for (int i = 0; i < tiles; ++i) {
    float sums[kMatrices][4] = {};
    int block = part;  // of all blocks those whose number is `part` modulo parts
    for (int first = 0; first < a.blocks; first += a.per_slot) {
      wait_for(full + 8 * slot, parity);
      const int end = min(first + a.per_slot, a.blocks);
      const std::byte* const here = memory + slot * a.slot_bytes;
      const auto multiply = [&](int of) {
        const std::byte* const x = here + weight_bytes + (of - first) * kXBytes;
        const uint4 x0 = *reinterpret_cast<const uint4*>(x + at.place);
        const uint4 x1 = *reinterpret_cast<const uint4*>(x + at.place + at.other);
        const std::uint32_t b[8] = {x0.x, x0.y, x0.z, x0.w, x1.x, x1.y, x1.z, x1.w};
#pragma unroll
        for (int m = 0; m < kMatrices; ++m) {
          multiply_block<kLayout>(
              sums[m], here + ((m * a.strips + strip) * a.per_slot + of - first) * kBytes, b,
              reinterpret_cast<const float*>(x + 1024), at, a.zeros);
        }
      };
      // Two at once where one is of one matrix: neither waits for the other.
      for (; kMatrices == 1 && block + a.parts < end; block += 2 * a.parts) {
        multiply(block);
        multiply(block + a.parts);
      }
      for (; block < end; block += a.parts) multiply(block);
      __syncwarp();
      arrive_warp(empty + 8 * slot);
      if (++slot < a.slots) continue;
      slot = 0;
      parity ^= 1;
    }
    if (!waited) cudaGridDependencySynchronize();  // before y is written: others may read it still
    waited = true;
    if (a.parts > 1) {
      // Two turns' rooms: who writes the next has passed this one's barrier.
      float4* const room = join + (i & 1) * join_count;
      if (part > 0) {
#pragma unroll
        for (int m = 0; m < kMatrices; ++m) {
          room[(((part - 1) * a.strips + strip) * kMatrices + m) * 32 + lane] =
              make_float4(sums[m][0], sums[m][1], sums[m][2], sums[m][3]);
        }
      }
      sync_few(warps);
      if (part > 0) continue;
      for (int p = 1; p < a.parts; ++p) {
#pragma unroll
        for (int m = 0; m < kMatrices; ++m) {
          const float4 other = room[(((p - 1) * a.strips + strip) * kMatrices + m) * 32 + lane];
          sums[m][0] += other.x;
          sums[m][1] += other.y;
          sums[m][2] += other.z;
          sums[m][3] += other.w;
        }
      }
    }
    const int tile = static_cast<int>(blockIdx.x) + i * blocks;
    const int output = (tile * a.strips + strip) * static_cast<int>(kInt4Strip) + lane / 4;
    const Gate gate(a.gate);
#pragma unroll
    for (int c = 0; c < 2; ++c) {
      const int row = 2 * (lane % 4) + c;
      if (row >= a.y.rows) continue;
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        if (output + 8 * half >= a.y.outputs) continue;
        float value = sums[0][2 * half + c];
        if constexpr (kGated) value = gate(value, sums[1][2 * half + c]);
        a.y.put(row, output + 8 * half, value);
      }
    }
  }
#endif
}

}  // namespace hangar::cuda::int4
