// The kernel of stack.h: what a block's warps do in a layer.
//
// Promise: stack_kernel<W, T>() is run_stack() for matrices of W (Int4Weights, RowWeights) and a
//   cache of T. Of each product a block has its own rows, whose columns its warps share: warp w has
//   columns 128 w to 128 w + 127 of each unit of 2,048. So it reads of the product's x only what it
//   multiplies, by itself, as soon as it is told; the warps' sums meet at the end.
// Threads: kStackBlocks blocks of kThreads.
#pragma once

#include "backend/cuda/gate.cuh"
#include "backend/cuda/stack_attention.cuh"
#include "backend/cuda/warp.cuh"

namespace hangar::cuda::stack {

#if __CUDA_ARCH__ >= 900

template <typename W, typename T>
class Block {
 public:
  using Group = typename W::Group;
  static constexpr int kHeadRows = 16 * kHeadStrips;  // of q, k and v
  static constexpr int kRows = 16 * kOwnStrips;       // of x: a lane each, of the first warp

  __device__ __forceinline__ Block(const StackArguments& a, const StackMemory& at,
                                   std::byte* memory, Ring ring, Pace pace, const Context& context)
      : a_(a),
        at_(at),
        memory_(memory),
        ring_(ring),
        pace_(pace),
        warp_(static_cast<int>(threadIdx.x) / 32),
        lane_(static_cast<int>(threadIdx.x) % 32),
        block_(static_cast<int>(blockIdx.x)),
        attention_(a, at, memory, context, warp_, lane_) {}

  __device__ __forceinline__ void run(const Context& context) {
    attention_.find_angles(static_cast<int>(threadIdx.x));
    const StackWords at(a_.sizes);
    uint4* const words = static_cast<uint4*>(a_.words);
    std::uint32_t flag = words[at.epoch].x + 1;
    const bool own = warp_ == 0;  // has the block's rows of x
    if (own) row_ = a_.x[block_ * kRows + lane_];
    const int inner = a_.sizes.inner / kUnitColumns;
    const bool long_context = context.position > kLongContext;
    for (int layer = 0; layer < a_.sizes.layers; ++layer, ++flag) {
      const StackLayer& l = a_.layers[layer];
      if (layer == a_.sizes.layers - 1) cudaTriggerProgrammaticLaunchCompletion();
      find_scales(l, inner);
      if (layer == 0) {
        take_x(l.attention_norm);
      } else {
        hear_normed(words + at.done, flag - 1, l.attention_norm);
      }
      work(W::kAtShortWork);
      strips(kHeadStrips, at_.x, at_.sums);
      work(W::kBetween);
      add_squares();
      sync_multipliers();
      tell_heads(words + at.heads, flag);
      attention_.hear(words + at.heads, flag, layer);
      sync_multipliers();
      if (long_context) work(W::kAtWork);
      attention_.run(ring_, words + at.parts, flag);
      if (long_context) work(W::kBetween);
      if (warp_ == 0) {
        const float y = attention_.combine(words + at.parts, flag);
        say_rows(words + at.attended + block_ * 8, y, lane_, 8, flag);
      }
      hear(words + at.attended, flag);
      work(W::kAtShortWork);
      strips(kOwnStrips, at_.other_x, at_.other_sums);
      work(W::kBetween);
      sync_multipliers();
      if (own) tell_rows(words + at.halfway, flag, scales_.out);

      hear_normed(words + at.halfway, flag, l.mlp_norm);
      work(W::kAtWork);
      strips(2 * inner, at_.x, at_.sums);
      add_squares();
      sync_multipliers();
      work(W::kBetween);
      tell_acted(words + at.acted, inner, flag);
      hear_acted(words + at.acted, inner, flag);
      work(W::kAtWork);
      down(inner);
      sync_multipliers();
      work(W::kBetween);
      if (own) tell_rows(words + at.done, flag, scales_.down);
    }
    if (own) a_.x[block_ * kRows + lane_] = row_;
    // All blocks have read it: else this one had not got here.
    if (block_ == 0 && threadIdx.x == 0) words[at.epoch].x = flag - 1;
  }

 private:
  __device__ __forceinline__ void work(int slots) const {
    if (threadIdx.x == 0) pace_.set(slots);
  }

  // --- x
  __device__ __forceinline__ std::byte* group_of_warp(int at) const {
    return memory_ + at + warp_ * W::kGroupBytes;
  }
  static constexpr int kNextGroup = kWarps * W::kGroupBytes;  // of a warp
  // Where the lane's four of a unit's columns are among its 512 words: side by side in a slot.
  __device__ __forceinline__ int place() const {
    constexpr int kLanes = 32 / W::kSlots;
    return lane_ / kLanes * (512 / W::kSlots) + warp_ * kLanes + lane_ % kLanes;
  }

  __device__ __forceinline__ void norm(float (&values)[kHiddenUnits][4],
                                       const float4 (&by)[kHiddenUnits]) {
    squares_ = 0.0F;
#pragma unroll
    for (int i = 0; i < kHiddenUnits; ++i) {
#pragma unroll
      for (const float x : values[i]) squares_ += x * x;
      values[i][0] *= by[i].x;
      values[i][1] *= by[i].y;
      values[i][2] *= by[i].z;
      values[i][3] *= by[i].w;
    }
    W::template spread<kHiddenUnits>(values, group_of_warp(at_.x), kNextGroup, lane_);
    __syncwarp();
  }
  __device__ __forceinline__ int column(int i) const { return kUnitColumns * i + 4 * place(); }
  __device__ __forceinline__ void norms_of(const float* weight, float4 (&by)[kHiddenUnits]) const {
#pragma unroll
    for (int i = 0; i < kHiddenUnits; ++i)
      by[i] = *reinterpret_cast<const float4*>(weight + column(i));
  }
  __device__ __forceinline__ void take_x(const float* weight) {
    float4 by[kHiddenUnits];
    norms_of(weight, by);
    float values[kHiddenUnits][4];
#pragma unroll
    for (int i = 0; i < kHiddenUnits; ++i) {
      const float4 x = *reinterpret_cast<const float4*>(a_.x + column(i));
      values[i][0] = x.x, values[i][1] = x.y, values[i][2] = x.z, values[i][3] = x.w;
    }
    norm(values, by);
  }
  __device__ __forceinline__ void hear_normed(const uint4* words, std::uint32_t flag,
                                              const float* weight) {
    float4 by[kHiddenUnits];
    norms_of(weight, by);  // comes while others are waited for
    float values[kHiddenUnits][4];
    hear_groups(words, flag, values);
    norm(values, by);
  }
  // The warp's groups: of 32 words each. A writer's words are eight or more in a row.
  __device__ __forceinline__ void hear_groups(const uint4* words, std::uint32_t flag,
                                              float (&values)[kHiddenUnits][4]) const {
    const uint4* const from = words + place();
    until<8>(lane_, flag, from, from + 512);
    get_groups<kHiddenUnits>(from, flag, values);
  }
  template <int kCount>
  __device__ __forceinline__ void get_groups(const uint4* from, std::uint32_t flag,
                                             float (&values)[kCount][4]) const {
    uint4 word[kCount];
#pragma unroll
    for (int i = 0; i < kCount; ++i) word[i] = get_word(from + 512 * i);
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      complete(word[i], from + 512 * i, flag);
      open_four(word[i], values[i]);
    }
  }
  __device__ __forceinline__ void hear(const uint4* words, std::uint32_t flag) const {
    float values[kHiddenUnits][4];
    hear_groups(words, flag, values);
    W::template spread<kHiddenUnits>(values, group_of_warp(at_.other_x), kNextGroup, lane_);
    __syncwarp();
  }
  __device__ __forceinline__ void hear_acted(const uint4* words, int inner,
                                             std::uint32_t flag) const {
    constexpr int kAtOnce = 4;
    const uint4* const from = words + place();
    until<4>(lane_, flag, from);
    for (int i = 0; i < inner; i += kAtOnce) {
      if (inner - i >= kAtOnce) {
        spread_some<kAtOnce>(from, i, flag);
      } else if (inner - i == 3) {
        spread_some<3>(from, i, flag);
      } else {
        spread_some<1>(from, i, flag);
        if (inner - i == 2) spread_some<1>(from, i + 1, flag);
      }
    }
    __syncwarp();
  }
  template <int kCount>
  __device__ __forceinline__ void spread_some(const uint4* from, int i, std::uint32_t flag) const {
    float values[kCount][4];
    get_groups<kCount>(from + 512 * i, flag, values);
    W::template spread<kCount>(values, group_of_warp(at_.other_x) + i * kNextGroup, kNextGroup,
                               lane_);
  }

  // --- products
  // Two units: of one x each, to one sum each.
  __device__ __forceinline__ void take_two(const Group& x, const Group& other_x, float (&sums)[2],
                                           float (&others)[2]) {
    if constexpr (W::kSlots > 1) {
      take(x, sums);
      return take(other_x, others);
    } else {
      take_both(x, other_x, sums, others);
    }
  }
  __device__ __forceinline__ const std::byte* slot(const Ring& ring) const {
    return memory_ + at_.ring + ring.at * kSlotBytes + W::place(warp_, lane_);
  }
  __device__ __forceinline__ void take(const Group& x, float (&sums)[2]) {
    float of_unit[4] = {};
#pragma unroll 1
    for (int i = 0; i < W::kSlots; ++i) {
      wait_for(ring_.full(), ring_.parity);
      W::multiply(slot(ring_), x, i, of_unit);
      __syncwarp();
      arrive_warp(ring_.empty());
      ring_.step();
    }
    W::add(of_unit, x, sums);
  }
  __device__ __forceinline__ void take_both(const Group& x, const Group& other_x, float (&sums)[2],
                                            float (&others)[2]) {
    Ring next = ring_;
    next.step();
    wait_for(ring_.full(), ring_.parity);
    wait_for(next.full(), next.parity);
    W::multiply(slot(ring_), x, lane_, sums);
    W::multiply(slot(next), other_x, lane_, others);
    __syncwarp();
    arrive_warp(ring_.empty());
    arrive_warp(next.empty());
    ring_ = next;
    ring_.step();
  }
  __device__ __forceinline__ void keep(int at, int strip, const float (&sums)[2]) const {
    if (lane_ % 4 >= 2) return;
    float* const to = floats(at) + strip * kStripSums + warp_ * 16;
    to[W::row(lane_) + 8 * (lane_ % 4)] = lane_ % 4 == 0 ? sums[0] : sums[1];
  }
  // So many strips of x's columns, one after the other.
  __device__ __forceinline__ void strips(int count, int x, int to) {
    Group first;
    Group second;
    first.load(group_of_warp(x), lane_);
    second.load(group_of_warp(x) + kNextGroup, lane_);
#pragma unroll 1
    for (int strip = 0; strip < count; ++strip) {
      float sums[2] = {};
      float others[2] = {};
      take_two(first, second, sums, others);
      sums[0] += others[0];
      sums[1] += others[1];
      keep(to, strip, sums);
    }
  }
  // All of the block's rows at once: columns come in the order in which they were told.
  __device__ __forceinline__ void down(int inner) {
    float sums[2] = {};
    float others[2] = {};
    const std::byte* const groups = group_of_warp(at_.other_x);
#pragma unroll 1
    for (int i = 0; i < inner; ++i) {
      Group x;
      x.load(groups + i * kNextGroup, lane_);
      take_two(x, x, sums, others);
    }
    keep(at_.other_sums, 0, sums);
    keep(at_.other_sums, 1, others);
  }

  // --- sums
  __device__ __forceinline__ float* floats(int at) const {
    return reinterpret_cast<float*>(memory_ + at);
  }
  // Of all warps, of a row of a strip.
  __device__ __forceinline__ float total(int at, int strip, int row) const {
    const float* const from = floats(at) + strip * kStripSums + row;
    float sum = 0.0F;
#pragma unroll
    for (int i = 0; i < kWarps; i += 4) {
      sum += (from[16 * i] + from[16 * i + 16]) + (from[16 * i + 32] + from[16 * i + 48]);
    }
    return sum;
  }
  __device__ __forceinline__ void add_squares() const {
    const float sum = warp_sum(squares_);
    if (lane_ == 0) floats(at_.squares)[warp_] = sum;
  }
  __device__ __forceinline__ float norm_factor() const {
    const auto* const four = reinterpret_cast<const float4*>(memory_ + at_.squares);
    float sum = 0.0F;
#pragma unroll
    for (int i = 0; i < kWarps / 4; ++i) sum += (four[i].x + four[i].y) + (four[i].z + four[i].w);
    return rsqrtf(sum / kStackHidden + a_.eps);
  }

  // Of rows that the lane will tell of: asked for before the products, as they take a while.
  struct Scales {
    float heads = 1.0F;
    float out = 1.0F;
    float acted = 1.0F;
    float down = 1.0F;
  };
  __device__ __forceinline__ void find_scales(const StackLayer& l, int inner) {
    if constexpr (W::kScaled) {
      if (warp_ == 0) {
        scales_.out = l.out.scales[block_ * kRows + lane_];
        scales_.down = l.down.scales[block_ * kRows + lane_];
      }
      if (warp_ < inner) {
        scales_.acted =
            (lane_ % 2 == 0 ? l.gate : l.up).scales[block_ * 16 * inner + 16 * warp_ + lane_ / 2];
      }
      const int row = 32 * warp_ + lane_;
      if (row < kHeadRows) scales_.heads = head_scale(l, block_ % kSources * kHeadRows + row);
    }
  }
  // Of a KV head's rows: of its query heads, then of its key and value.
  __device__ __forceinline__ float head_scale(const StackLayer& l, int row) const {
    constexpr int kQueryRows = kStackGroup * kStackHeadDim;
    const int head = block_ / kSources;
    if (row < kQueryRows) return l.q.scales[head * kQueryRows + row];
    row -= kQueryRows;
    const int own = head * kStackHeadDim + row % kStackHeadDim;
    return (row < kStackHeadDim ? l.k : l.v).scales[own];
  }

  // --- what others are told
  __device__ __forceinline__ void tell_heads(uint4* words, std::uint32_t flag) const {
    if (warp_ >= (kHeadRows + 31) / 32) return;
    const int row = 32 * warp_ + lane_;
    const float y = row < kHeadRows
                        ? total(at_.sums, row / 16, row % 16) * norm_factor() * scales_.heads
                        : 0.0F;
    say_rows(words + block_ * (kHeadRows / 4) + 8 * warp_, y, lane_,
             min(8, (kHeadRows - 32 * warp_) / 4), flag);
  }
  // x += what the warps have summed up of the block's rows.
  __device__ __forceinline__ void tell_rows(uint4* words, std::uint32_t flag, float scale) {
    row_ += total(at_.other_sums, lane_ / 16, lane_ % 16) * scale;
    say_rows(words + block_ * (kRows / 4), row_, lane_, 8, flag);
  }
  // Even lanes have the gate's row, odd ones the other matrix's.
  __device__ __forceinline__ void tell_acted(uint4* words, int inner, std::uint32_t flag) const {
    if (warp_ >= inner) return;
    const int row = 16 * warp_ + lane_ / 2;
    const float y =
        total(at_.sums, 2 * (row / 16) + lane_ % 2, row % 16) * norm_factor() * scales_.acted;
    const float up = __shfl_xor_sync(~0U, y, 1);
    const float acted = Gate(a_.gate)(y, up);
    float four[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) four[i] = __shfl_sync(~0U, acted, lane_ % 4 * 8 + 2 * i);
    if (lane_ < 4) {
      say_four(words + (block_ * 16 * inner + 16 * warp_) / 4 + lane_, four[0], four[1], four[2],
               four[3], flag);
    }
  }

  const StackArguments& a_;
  const StackMemory& at_;
  std::byte* memory_;
  Ring ring_;
  Pace pace_;
  int warp_;
  int lane_;
  int block_;
  Attention<T> attention_;
  float squares_ = 0.0F;  // of the lane's numbers
  float row_ = 0.0F;      // of x, the lane's own
  Scales scales_;
};

#endif

template <typename W, typename T>
__global__ void __launch_bounds__(kThreads, 1)
    stack_kernel(const __grid_constant__ StackArguments a, const __grid_constant__ StackMemory at) {
#if __CUDA_ARCH__ >= 900
  extern __shared__ __align__(1024) std::byte memory[];
  const Ring ring{shared_address(memory + at.barriers), at.slots};
  const Pace pace(reinterpret_cast<int*>(memory + at.pace));
  if (threadIdx.x == 0) {
    ring.init();
    pace.set(W::kBetween);
  }
  __syncthreads();
  const RaggedBatch::Sequence sequence = a.batch.sequences[0];
  const Context context{a.batch.block_tables + sequence.first_block, sequence.context_tokens};
  if (threadIdx.x >= kMultipliers) {
    if (threadIdx.x == kMultipliers) {
      Bringer<W>(a, ring, shared_address(memory + at.ring), pace).run(context);
    }
    return;
  }
  Block<W, T>(a, at, memory, ring, pace, context).run(context);
#endif
}

}  // namespace hangar::cuda::stack
