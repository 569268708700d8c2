// All layers of a decode step of one row as one kernel: W comes without a stop from the first layer
// to the last.
//
// Promise: run_stack() takes x through layers whose matrices are all of one StackForm: each x +=
//   out(attention(rotate(q, k), v)), x += down(f(gate) * up), with a norm before each half, and of
//   q's and k's heads where there are weights for it, and writes the row's keys and values. Inputs
//   of products are rounded below a power of two above the largest of their 128 columns: to 15 bits
//   and a sign with W of 4 bits, else to W's 16 bits (e4m3: to F16); what blocks tell each other to
//   24 bits of float32. Sums are float32 and the same each time. stack_ways() says which sizes
//   there is a kernel for, and stack_fits() whether all of its blocks are on the card at once,
//   which they must be: they wait for each other. Words in memory carry what they say together with
//   a number of the launch and layer (stack_words.cuh): there is no other barrier between blocks,
//   and nothing to clear.
// Shapes: one row of 4,096; 32 heads of 128, 8 KV heads; inner: a multiple of 2,048. `words`:
//   stack_words_of() of them, zeros before the first launch.
// Threads: 128 blocks, of 16 warps that multiply and one that brings; the step thread launches.
// Source: the grid-wide decode kernels of "Look Ma, No Bubbles" (Hazy Research, 2025) share the
//   idea; words with their flag inside are NCCL's LL protocol.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backend/cuda/device_batch.h"
#include "backend/cuda/int4.h"
#include "backend/cuda/kv_layer.h"
#include "backend/cuda/launch.h"
#include "backend/cuda/rope.h"
#include "backend/cuda/tensor_map.h"
#include "tensor/gate_function.h"
#include "tensor/kv_type.h"

namespace hangar::cuda {

inline constexpr int kStackBlocks = 128;
inline constexpr int kStackKvHeads = 8;
inline constexpr int kStackHeadDim = 128;
inline constexpr int kStackGroup = 4;  // query heads to a KV head
inline constexpr int kStackHidden = kStackKvHeads * kStackGroup * kStackHeadDim;
inline constexpr int kStackMostLayers = 128;

// How W lies. kInt4: strips of Int4Form::kZero128; the others row after row.
enum class StackForm : std::uint8_t { kInt4, kFp8, kBF16, kF16 };

struct StackSizes {
  std::int32_t layers = 0;
  std::int32_t inner = 0;
  StackForm form = StackForm::kInt4;

  bool operator==(const StackSizes&) const = default;
};

// A slot of the ring takes so many boxes of kBoxBytes, side by side, of 16 rows of such a matrix.
inline constexpr int kStackBoxes = 8;

struct StackMatrix {
  const void* data = nullptr;
  const float* scales = nullptr;  // of its rows: kFp8's
};

// Norms float32.
struct StackLayer {
  StackMatrix q, k, v, out, gate, up, down;
  const float* attention_norm = nullptr;
  const float* mlp_norm = nullptr;
  const float* q_norm = nullptr;  // of heads; nullptr: they are not normed
  const float* k_norm = nullptr;
};

struct StackArguments {
  // Of matrices row after row, of 4,096 and of `inner` columns: a place is so many kBoxBytes from
  // boxes_from.
  CUtensorMap boxes_of_hidden{};
  CUtensorMap boxes_of_inner{};
  const std::byte* boxes_from = nullptr;
  StackSizes sizes;
  StackLayer layers[kStackMostLayers];
  float* x = nullptr;  // {1, hidden}
  void* words = nullptr;
  float eps = 0.0F;
  float scale = 0.0F;  // of scores
  GateFunction gate = GateFunction::kSilu;
  RopeAngles angles;  // of all of a head
  // Of layer 0; the next layer's are so many bytes further on.
  KvLayer kv;
  std::int64_t kv_layer_bytes = 0;
  DeviceBatch batch;
};

// Whether there is a kernel for these sizes, and for keys and values of this type beside W.
bool stack_ways(const StackSizes& sizes);
constexpr bool stack_takes(StackForm form, KvType type) {
  if (type == KvType::kBF16) return form != StackForm::kF16;
  return type == KvType::kF16 && form != StackForm::kBF16;
}
bool stack_fits(const Launch& launch, const StackSizes& sizes);
std::size_t stack_words_of(const StackSizes& sizes);  // bytes

void run_stack(const Launch& launch, const StackArguments& arguments);

}  // namespace hangar::cuda
