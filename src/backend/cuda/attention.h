// Attention over the paged cache, for batches that mix prefill and decode.
//
// Promise: out[row] = causal softmax(q k^T * scale) v, as Backend::attention, on rows whose keys
//   and values are in the cache (the step's own too). Scores and sums are float32; the softmax's
//   weights are rounded to the cache's type before they meet the values. With FP8 the types of
//   queries and weights are halves, and scales are applied in float32: to scores and to weights,
//   so that no code is rounded again. Sequences of at most
//   kDecodeRows rows go to a kernel that streams the cache, each context cut in as many pieces as
//   keep all of the card busy; the others to one that computes 128 query rows together, on Hopper
//   cards to one of their own (wgmma). All want head_dim 64, 96, 128 or 256 and blocks of a
//   multiple of 16 tokens; all else runs by a plain kernel. Who works at what is decided on the
//   card from the batch's sequences, so that a graph serves every batch of its size.
// Deterministic: all rows go to the first kernel, and contexts are cut every 512 tokens: a row's
//   result depends on its position, its query and its keys and values alone.
// Shapes: q, out {rows, heads * head_dim}, kBF16 or kF16, any row stride.
// Scratch: `memory` holds attention_scratch_bytes(), is zero at first, and belongs to attention()
//   alone from then on; calls on one stream share it.
// Order: with context_ready the kernels read the batch and the cache's older tokens before they
//   wait for the kernel before them on the stream: that was all there before the step's first
//   kernel began, but for copies of blocks, whose kernel lets nobody begin before its end. The
//   kernels here let the next one begin only after they have waited themselves.
// Errors: CudaError; std::invalid_argument for other types.
// Threads: the step thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backend/backend.h"
#include "backend/cuda/device_batch.h"
#include "backend/cuda/int4_inputs.h"
#include "backend/cuda/kv_layer.h"
#include "backend/cuda/launch.h"

namespace hangar::cuda {

inline constexpr std::int32_t kDecodeRows = 8;

struct AttentionScratch {
  void* memory = nullptr;
  bool context_ready = false;
  Int4FewTarget few;  // out goes there instead, where attention_gives_few() says that it can
};

// Whether out can go where few rows' inputs of 4-bit products do (int4_inputs.h): rows that no
// sequence has are 0 there.
bool attention_gives_few(const Launch& launch, Activation out, Activation q, const KvLayer& layer,
                         const DeviceBatch& batch, const AttentionShape& shape);

std::size_t attention_scratch_bytes(const Launch& launch, std::int32_t head_dim);

void attention(const Launch& launch, Activation out, Activation q, const KvLayer& layer,
               const DeviceBatch& batch, const AttentionShape& shape,
               const AttentionScratch& scratch);

}  // namespace hangar::cuda
