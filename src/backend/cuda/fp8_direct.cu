// FP8 products of one or two rows: a block has strips * parts warps that multiply and one that
// brings W; each 128 columns of a strip are eight instructions of 16 x 8 x 16, whose eight columns
// of x are the rows, again and again. A warp takes every parts-th box of columns; the parts of a
// strip meet in shared memory at its end.
#include "backend/cuda/fp8_direct.h"

#include <stdexcept>

#include "backend/cuda/direct_ring.cuh"
#include "backend/cuda/direct_source.cuh"
#include "backend/cuda/e4m3.cuh"
#include "backend/cuda/fp8_direct_inputs.cuh"
#include "backend/cuda/fp8_direct_plan.h"
#include "backend/cuda/gate.cuh"
#include "backend/cuda/plain_matmul_math.cuh"
#include "backend/cuda/product_output.cuh"

namespace hangar::cuda {
namespace fp8 {
namespace {

constexpr int kThreads = 32 * (kMostDirectWarps + 1);

struct Arguments {
  std::int32_t strips = 0;  // of a tile
  std::int32_t parts = 0;
  std::int32_t per_slot = 0;  // boxes
  std::int32_t boxes = 0;     // of a row
  std::int32_t chunks = 0;
  std::int32_t tiles = 0;
  std::int32_t slots = 0;
  std::int32_t slot_bytes = 0;
  std::int32_t under_way = 0;  // slots, at most
  bool gated = false;          // a strip has 8 rows of the gate, then 8 of the other
  direct::Source x;
  const float* weight_scales = nullptr;
  OutputTarget y;
  GateFunction gate = GateFunction::kSilu;
};

#if __CUDA_ARCH__ >= 900

// d += a word of W's row and one of the row 8 further on, times the same four columns of x: to a
// lane they are what the instruction calls columns 2 q, 2 q + 1, 2 q + 8, 2 q + 9.
__device__ __forceinline__ void multiply_words(float (&d)[4], std::uint32_t low, std::uint32_t high,
                                               std::uint32_t b0, std::uint32_t b1) {
  std::uint32_t a[4];
  e4m3_to_halves(low, a[0], a[2]);
  e4m3_to_halves(high, a[1], a[3]);
  plain::mma(d, a[0], a[1], a[2], a[3], b0, b1, __half());
}

// sums[row][half] += a box of W times the same columns of x. weight, other: a lane's 16 bytes of
// columns 16 q and on, and of 64 + 16 q and on.
template <int kRows>
__device__ __forceinline__ void multiply_box(float (&sums)[kRows][2], const std::byte* weight,
                                             const std::byte* other, const std::byte* x,
                                             const float* units) {
  float d[2][4] = {};  // two, that neither waits for the other
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const std::byte* const rows = half == 0 ? weight : other;
    const uint4 low = *reinterpret_cast<const uint4*>(rows);
    const uint4 high = *reinterpret_cast<const uint4*>(rows + 8 * kBoxBytes);
    const uint4 even = *reinterpret_cast<const uint4*>(x + half * (128 * kRows));
    const uint4 odd = *reinterpret_cast<const uint4*>(x + half * (128 * kRows) + 64 * kRows);
    multiply_words(d[0], low.x, high.x, even.x, even.y);
    multiply_words(d[1], low.y, high.y, even.z, even.w);
    multiply_words(d[0], low.z, high.z, odd.x, odd.y);
    multiply_words(d[1], low.w, high.w, odd.z, odd.w);
  }
#pragma unroll
  for (int row = 0; row < kRows; ++row) {
    sums[row][0] += (d[0][row] + d[1][row]) * units[row];
    sums[row][1] += (d[0][2 + row] + d[1][2 + row]) * units[row];
  }
}

#endif

// X: what x is in; float: with a norm.
template <typename X, int kRows>
__global__ void __launch_bounds__(kThreads)
    fp8_direct_kernel(const __grid_constant__ CUtensorMap weight,
                      const __grid_constant__ Arguments a) {
#if __CUDA_ARCH__ >= 900
  extern __shared__ std::byte dynamic[];
  __shared__ __align__(8) std::uint64_t barriers[2 * kMostDirectSlots];
  std::byte* const memory =
      dynamic + (kFp8Alignment - shared_address(dynamic) % kFp8Alignment) % kFp8Alignment;
  direct::Ring ring(barriers);
  const int warps = a.strips * a.parts;
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
    ring.fill(a.slots, a.slot_bytes, a.tiles, a.chunks, a.under_way,
              [&](int slot, std::uint32_t full, int tile, int chunk) {
                const std::uint32_t to = begin + slot * a.slot_bytes;
                const int box = chunk * a.per_slot;
                if (a.gated) {
                  copy_box(to, &weight, full, CacheFor::kOnce, 0, 0, 0, tile * a.strips, box);
                } else {
                  copy_box(to, &weight, full, CacheFor::kOnce, 0, tile * a.strips * kFp8Strip, box);
                }
              });
    return;
  }
  std::byte* const numbers = memory + a.slots * a.slot_bytes;
  const direct::InputRows<kRows> rows(a.x, a.x.columns / 8, warps * 32);
  const Inputs<X, kRows> inputs(numbers, a.x.columns);
  inputs.fill(rows);
  direct::sync(warps * 32);
  const int strip = warp % a.strips;
  // W's rows in an order in which eight lanes that load at once, of two rows, meet at no bank: the
  // swizzle takes the two to different halves of 128 bytes.
  const int quad = lane % 4;
  const int place = lane / 16 + lane / 8 % 2 * 2 + lane / 4 % 2 * 4;
  const int weight_at =
      strip * kFp8BoxBytes + place * static_cast<int>(kBoxBytes) + (quad ^ place) * 16;
  // Of each piece of x a lane takes its quad's numbers, of row lane / 4 modulo rows.
  const std::byte* const x = numbers + lane / 4 % kRows * 64 + quad * 16;
  // Every lane of a quad has the same sums in the end; each goes on with one: of W's row `place` or
  // of 8 further on, where lane % 2 is 1, of row lane % 4 / 2.
  const bool high = lane % 2 != 0;
  const int row = quad / 2;
  const int parts = a.parts;
  const int per_slot = a.per_slot;
  const int boxes = a.boxes;
  const int box_bytes = a.strips * kFp8BoxBytes;  // of all strips
  const int slots = a.slots;
  const int slot_bytes = a.slot_bytes;
  float factor = 1.0F;
  int turn = 0;
  for (int tile = static_cast<int>(blockIdx.x); tile < a.tiles;
       tile += static_cast<int>(gridDim.x), turn ^= 1) {
    const int first_strip = tile * a.strips + strip;
    const int output =
        a.gated ? first_strip * 8 + place : first_strip * kFp8Strip + place + (high ? 8 : 0);
    const bool inside = output < a.y.outputs;
    const float scale =
        inside ? a.weight_scales[a.gated && high ? a.y.outputs + output : output] : 0.0F;
    float sums[kRows][2] = {};
    int box = warp / a.strips;  // of all boxes those whose number is the part's modulo parts
    for (int first = 0; first < boxes; first += per_slot) {
      wait_for(ring.full(), ring.parity);
      const int end = min(first + per_slot, boxes);
      const std::byte* const here = memory + ring.at * slot_bytes;
      for (; box < end; box += parts) {
        const int at = weight_at + (box - first) * box_bytes;
        multiply_box<kRows>(sums, here + at, here + (at ^ 64),
                            x + box * (2 * Inputs<X, kRows>::kBlockBytes),
                            inputs.units() + box * kRows);
      }
      __syncwarp();
      arrive_warp(ring.empty());
      ring.step(slots);
    }
    float value = high ? sums[0][1] : sums[0][0];
    if (kRows == 2 && row != 0) value = high ? sums[kRows - 1][1] : sums[kRows - 1][0];
    if (a.parts > 1) {
      // Two turns' rooms: who writes the next has passed this one's barrier.
      auto* const room =
          reinterpret_cast<float*>(numbers + fp8_direct_x_bytes(kRows, a.x.columns)) +
          turn * warps * 32 + lane;
      room[warp * 32] = value;
      direct::sync(warps * 32);
      if (warp >= a.strips) continue;
      for (int other = warp + a.strips; other < warps; other += a.strips) {
        value += room[other * 32];
      }
    }
    if (tile == static_cast<int>(blockIdx.x) && row < kRows) factor = rows.factor(row);
    value = value * scale * factor;
    if (a.gated) value = Gate(a.gate)(value, __shfl_down_sync(~0U, value, 1));
    if (row < kRows && inside && !(a.gated && high)) a.y.put(row, output, value);
  }
#endif
}

template <typename X, int kRows>
void launch_direct(const Launch& launch, const Product& product, const Fp8DirectWay& way,
                   const Fp8DirectPlan& plan) {
  Arguments a;
  a.strips = way.strips;
  a.parts = way.parts;
  a.per_slot = way.boxes;
  a.boxes = plan.boxes;
  a.chunks = plan.chunks;
  a.tiles = plan.tiles;
  a.slots = plan.slots;
  a.slot_bytes = plan.slot_bytes;
  a.under_way = slots_under_way(plan.slots, plan.slot_bytes, kFp8BytesUnderWay);
  a.gated = product.gate.has_value();
  a.x = direct::Source(product);
  a.weight_scales = product.weight_scales;
  a.y = OutputTarget(product);
  a.gate = product.gate.value_or(GateFunction::kSilu);
  const int rows = way.strips * kFp8Strip;
  const CUtensorMap weight =
      a.gated ? gated_boxes(product.weight, product.outputs, product.columns, rows, way.boxes)
              : matrix_boxes(product.weight, product.outputs, product.columns, product.columns,
                             rows, way.boxes);
  const auto kernel = fp8_direct_kernel<X, kRows>;
  constexpr int kMostShared = 226 << 10;
  HANGAR_CUDA(
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kMostShared));
  launch_kernel(launch, kernel,
                dim3(static_cast<unsigned>(std::min(launch.processors, plan.tiles))),
                dim3(static_cast<unsigned>(32 * (way.strips * way.parts + 1))),
                static_cast<std::size_t>(plan.shared_bytes), weight, a);
}

template <typename X>
void launch_direct(const Launch& launch, const Product& product, const Fp8DirectWay& way,
                   const Fp8DirectPlan& plan) {
  if (product.rows == 1) return launch_direct<X, 1>(launch, product, way, plan);
  launch_direct<X, 2>(launch, product, way, plan);
}

}  // namespace
}  // namespace fp8

void fp8_direct_matmul(const Launch& launch, const Product& product, const Fp8DirectWay& way) {
  if (!can_multiply_fp8_direct(launch, product) || !direct::can_read(product)) {
    throw std::invalid_argument("inputs of FP8 weights: rows at 16 bytes, columns by 128");
  }
  const Fp8DirectPlan plan = plan_fp8_direct(product, way);
  if (plan.slots < 1) throw std::invalid_argument("an FP8 product's slots do not fit");
  if (product.norm.weight != nullptr) {
    return fp8::launch_direct<float>(launch, product, way, plan);
  }
  if (product.type == DType::kF16) return fp8::launch_direct<__half>(launch, product, way, plan);
  fp8::launch_direct<__nv_bfloat16>(launch, product, way, plan);
}

}  // namespace hangar::cuda
