// The kernel of 4-bit products of more than a few rows.
//
// Promise: tile_kernel<layout, width, gated>() is int4_matmul() for x in tiles of `width` rows. Two
//   warpgroups multiply, a warp brings. W's numbers go from a slot to registers, as the e4m3
//   numbers whose bits they are (int4_math.cuh), and are multiplied by 32 columns of up to 128 rows
//   of x at a time; each group's sums join the float sums with the group's scale.
// Threads: as int4_matmul().
#pragma once

#include <type_traits>

#include "backend/cuda/gate.cuh"
#include "backend/cuda/hopper.cuh"
#include "backend/cuda/int4_math.cuh"
#include "backend/cuda/int4_plan.h"
#include "backend/cuda/product_output.cuh"
#include "backend/cuda/tensor_map.h"
#include "backend/cuda/wgmma.cuh"
#include "backend/cuda/wgmma_registers.cuh"

namespace hangar::cuda::int4 {

inline constexpr int kWarpgroup = 128;                    // threads
inline constexpr int kTileConsumers = 2 * kWarpgroup;     // multiply,
inline constexpr int kTileThreads = kTileConsumers + 32;  // and a warp brings
inline constexpr int kConsumerWarps = kTileConsumers / 32;
static_assert(kInt4RoomBytes == kConsumerWarps * kOutputRoom * static_cast<int>(sizeof(float)));

struct TileArguments {
  std::int32_t strips = 0;  // of a warpgroup
  bool both = false;        // each warpgroup has its own
  std::int32_t per_slot = 0;
  std::int32_t blocks = 0;
  std::int32_t chunks = 0;  // of an item
  std::int32_t split = 1;
  std::int32_t x_tiles = 1;
  std::int32_t items = 0;  // tiles of W, tiles of x, parts of the columns: the last change first
  std::int32_t slots = 0;
  std::int32_t slot_bytes = 0;
  bool zeros = false;
  const float* x_scales = nullptr;
  const float* x_sums = nullptr;
  OutputTarget y;
  GateFunction gate = GateFunction::kSilu;
};

#if __CUDA_ARCH__ >= 900

// What one of a block's items is.
struct Item {
  int tile;    // of W
  int x_tile;  // of x
  int first;   // slotful of its columns
  __device__ Item(const TileArguments& a, int number)
      : tile(number / a.split / a.x_tiles),
        x_tile(number / a.split % a.x_tiles),
        first(number % a.split * a.chunks) {}
};

// One thread: copies, in order.
template <Layout kLayout, int kWidth, bool kGated>
struct TileProducer {
  static constexpr int kBytes = kBlockBytes<kLayout>;
  static constexpr int kSumBytes = kWidth * 4 * kGroups<kLayout>;
  const TileArguments& a;
  const CUtensorMap& weight;
  const CUtensorMap& x;
  std::uint32_t memory;
  std::uint32_t full;
  int item = static_cast<int>(blockIdx.x);
  int chunk = 0;

  __device__ int x_bytes() const { return a.per_slot * kWidth * 128; }
  __device__ int tile_strips() const { return a.both ? 2 * a.strips : a.strips; }
  __device__ void step() {
    if (++chunk < a.chunks) return;
    chunk = 0;
    item += static_cast<int>(gridDim.x);
  }
  __device__ void bring_weight(int slot) const {
    const Item of(a, item);
    const int first = (of.first + chunk) * a.per_slot;
    const int strips = tile_strips();
    const int sums = min(a.per_slot, a.blocks - first) * kSumBytes;
    // What lies outside W comes as zeros.
    expect(full + 8 * slot, a.per_slot * strips * kBytes + sums + x_bytes());
    copy_box(memory + slot * a.slot_bytes + x_bytes(), &weight, full + 8 * slot, CacheFor::kOnce, 0,
             first, of.tile * (kGated ? a.strips : strips), 0);
  }
  __device__ void bring_x(int slot) const {
    const Item of(a, item);
    const int first = (of.first + chunk) * a.per_slot;
    const int count = min(a.per_slot, a.blocks - first);
    const std::uint32_t to = memory + slot * a.slot_bytes;
    copy_box(to, &x, full + 8 * slot, CacheFor::kOften, 0, of.x_tile * kWidth, first);
    copy_bulk(to + x_bytes() + tile_strips() * a.per_slot * kBytes,
              a.x_sums + (static_cast<std::int64_t>(of.x_tile) * a.blocks + first) *
                             (kWidth * kGroups<kLayout>),
              count * kSumBytes, full + 8 * slot, CacheFor::kOften);
  }
  __device__ void run(std::uint32_t empty, int total) {
    const int first = min(a.slots, total);
    TileProducer ahead = *this;
    for (int i = 0; i < first; ++i) {
      ahead.bring_weight(i);
      ahead.step();
    }
    cudaGridDependencySynchronize();
    for (int i = 0; i < first; ++i) {
      bring_x(i);
      step();
    }
    int slot = 0;
    std::uint32_t parity = 0;
    for (int i = first; i < total; ++i) {
      wait_for(empty + 8 * slot, parity);
      bring_weight(slot);
      bring_x(slot);
      step();
      if (++slot < a.slots) continue;
      slot = 0;
      parity ^= 1;
    }
  }
};

// sums += a block of W times the same columns of x.
template <Layout kLayout, int kWidth>
__device__ __forceinline__ void multiply_strips(float (&sums)[kWidth / 2], const std::byte* weight,
                                                std::uint64_t x, const float* x_sums, bool zeros) {
  constexpr float kOne = 512.0F;  // u stands for u / 512 as e4m3
  const int lane = static_cast<int>(threadIdx.x) % 32;
  std::uint32_t a[16];
  load_numbers(weight, lane, a);
  const RowParameters<kLayout> low(weight, lane / 4);
  const RowParameters<kLayout> high(weight, lane / 4 + 8);
  constexpr int kGroupCount = kGroups<kLayout>;
#pragma unroll
  for (int group = 0; group < kGroupCount; ++group) {
    float d[kWidth / 2];
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#pragma unroll
    for (int i = 0; i < 4 / kGroupCount; ++i) {
      const int k = group * (4 / kGroupCount) + i;
      wgmma::multiply_64(d, a + 4 * k, x + 2 * k, i > 0);
    }
    wgmma::end();
    const Parameters p = low.at(group, zeros);
    const Parameters q = high.at(group, zeros);
#pragma unroll
    for (int j = 0; j < kWidth / 8; ++j) {
      const float2 sum =
          *reinterpret_cast<const float2*>(x_sums + group * kWidth + 8 * j + 2 * (lane % 4));
      sums[4 * j] += p.minimum * sum.x;
      sums[4 * j + 1] += p.minimum * sum.y;
      sums[4 * j + 2] += q.minimum * sum.x;
      sums[4 * j + 3] += q.minimum * sum.y;
    }
    wgmma::wait(d);
    const float low_scale = p.scale * kOne;
    const float high_scale = q.scale * kOne;
#pragma unroll
    for (int j = 0; j < kWidth / 8; ++j) {
      sums[4 * j] += d[4 * j] * low_scale;
      sums[4 * j + 1] += d[4 * j + 1] * low_scale;
      sums[4 * j + 2] += d[4 * j + 2] * high_scale;
      sums[4 * j + 3] += d[4 * j + 3] * high_scale;
    }
  }
}

enum TileBarrier { kSumsRead = 1, kSumsThere = 2 };  // of the block; 0 is __syncthreads

__device__ __forceinline__ void sync_tile(TileBarrier barrier) {
  asm volatile("bar.sync %0, %1;" ::"r"(static_cast<int>(barrier)), "n"(kTileConsumers) : "memory");
}

#endif

template <Layout kLayout, int kWidth, bool kGated>
__global__ void __launch_bounds__(kTileThreads, kWidth <= 64 ? 2 : 1)
    tile_kernel(const __grid_constant__ CUtensorMap weights, const __grid_constant__ CUtensorMap x,
                const __grid_constant__ TileArguments a) {
#if __CUDA_ARCH__ >= 900
  constexpr int kBytes = kBlockBytes<kLayout>;
  extern __shared__ std::byte dynamic[];
  __shared__ __align__(8) std::uint64_t barriers[2 * kMostInt4Slots];
  const std::uint32_t begin = shared_address(dynamic);
  const std::uint32_t offset = (kInt4Alignment - begin % kInt4Alignment) % kInt4Alignment;
  std::byte* const memory = dynamic + offset;
  const std::uint32_t full = shared_address(barriers);
  const std::uint32_t empty = full + 8 * kMostInt4Slots;
  const int warp = __shfl_sync(~0U, static_cast<int>(threadIdx.x) / 32, 0);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  if (threadIdx.x == kTileConsumers) {
    for (int i = 0; i < a.slots; ++i) {
      init_barrier(full + 8 * i);
      init_barrier(empty + 8 * i, kConsumerWarps);
    }
    publish_barriers();
    prefetch_map(&weights);
    prefetch_map(&x);
  }
  __syncthreads();
  cudaTriggerProgrammaticLaunchCompletion();
  const int grid = static_cast<int>(gridDim.x);
  const int items = (a.items - static_cast<int>(blockIdx.x) + grid - 1) / grid;
  if (warp == kConsumerWarps) {
    if (lane == 0) {
      TileProducer<kLayout, kWidth, kGated>{a, weights, x, begin + offset, full}.run(
          empty, items * a.chunks);
    }
    return;
  }
  const int group = warp / 4;
  const bool has = warp % 4 < a.strips;
  const int strip = (a.both ? group * a.strips : 0) + (has ? warp % 4 : 0);
  const int x_bytes = a.per_slot * kWidth * 128;
  const int weight_bytes = (a.both ? 2 : 1) * a.strips * a.per_slot * kBytes;
  auto* const out = reinterpret_cast<float*>(memory + a.slots * a.slot_bytes) + warp * kOutputRoom;
  auto* const room = reinterpret_cast<float4*>(memory + a.slots * a.slot_bytes + kInt4RoomBytes) +
                     threadIdx.x % kWarpgroup;
  int slot = 0;
  std::uint32_t parity = 0;
  bool waited = false;
  for (int i = 0; i < items; ++i) {
    const Item of(a, static_cast<int>(blockIdx.x) + i * grid);
    float sums[kWidth / 2] = {};
    for (int chunk = 0; chunk < a.chunks; ++chunk) {
      wait_for(full + 8 * slot, parity);
      const int first = (of.first + chunk) * a.per_slot;
      const int count = min(a.per_slot, a.blocks - first);
      const std::byte* const here = memory + slot * a.slot_bytes;
      const std::byte* const weight = here + x_bytes + strip * a.per_slot * kBytes;
      const auto* x_sums = reinterpret_cast<const float*>(here + x_bytes + weight_bytes);
      // Where they share strips, each has the blocks of its own parity.
      for (int block = a.both ? 0 : (group + first) % 2; block < count; block += a.both ? 1 : 2) {
        multiply_strips<kLayout, kWidth>(
            sums, weight + block * kBytes,
            wgmma::descriptor(shared_address(here) + block * kWidth * 128),
            x_sums + block * kWidth * kGroups<kLayout>, a.zeros);
      }
      __syncwarp();
      if (lane == 0) arrive(empty + 8 * slot);
      if (++slot < a.slots) continue;
      slot = 0;
      parity ^= 1;
    }
    if (!waited) cudaGridDependencySynchronize();  // before y is written: others may read it still
    waited = true;
    if (kGated || !a.both) {
      sync_tile(kSumsRead);
      if (group == 1) {
#pragma unroll
        for (int j = 0; j < kWidth / 8; ++j) {
          room[j * kWarpgroup] =
              make_float4(sums[4 * j], sums[4 * j + 1], sums[4 * j + 2], sums[4 * j + 3]);
        }
      }
      sync_tile(kSumsThere);
      if (group == 1) continue;
    }
    if (!has) continue;
    const int output =
        (kGated ? of.tile * a.strips + warp : of.tile * (a.both ? 2 : 1) * a.strips + strip) *
        static_cast<int>(kInt4Strip);
    const Gate gate(a.gate);
    const int x_row = of.x_tile * kWidth;
#pragma unroll
    for (int j = 0; j < kWidth / 8; j += 2) {
      if (x_row + 8 * j >= a.y.rows) break;
      float values[2][2][2];
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        float4 other = make_float4(0.0F, 0.0F, 0.0F, 0.0F);
        if (kGated || !a.both) other = room[(j + e) * kWarpgroup];
        const float others[4] = {other.x, other.y, other.z, other.w};
#pragma unroll
        for (int c = 0; c < 2; ++c) {
          const int row = x_row + 8 * (j + e) + 2 * (lane % 4) + c;
          const float scale = row < a.y.rows ? __ldcg(a.x_scales + row) : 0.0F;
#pragma unroll
          for (int half = 0; half < 2; ++half) {
            const float mine = sums[4 * (j + e) + 2 * half + c];
            const float its = others[2 * half + c];
            values[e][c][half] = kGated ? gate(mine * scale, its * scale) : (mine + its) * scale;
          }
        }
      }
      put_rows<2, 2>(a.y, out, x_row + 8 * j, output, values);
    }
  }
#endif
}

}  // namespace hangar::cuda::int4
