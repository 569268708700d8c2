// What attention() chooses from: one function for each kernel, and what all of them are given.
//
// Promise: attend_decode takes the sequences of at most `most_rows` rows, fastest where they have
//   `usual_rows`, attend_prefill those of more than `fewest_rows`, attend_plain all. All but the
//   last want fast_heads(), rows and a cache that can be moved 16 bytes at a time, a positive
//   inner_scale, and with heads of 256 163 KiB of shared memory for a block. attend_prefill is for
//   code compiled for cards before Hopper, attend_prefill_hopper for Hopper's; both take groups of
//   at most 128. `most_rows` of the latter is the most of one sequence, by which it chooses among
//   kernels that differ in speed alone; `counter`, in the card's memory, is zero before and after.
// Units: strides are in elements.
// Threads: the step thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backend/cuda/divisor.h"
#include "backend/cuda/int4_inputs.h"
#include "backend/cuda/launch.h"
#include "tensor/kv_type.h"
#include "tensor/ragged_batch.h"

namespace hangar::cuda {

struct AttentionArguments {
  const void* q = nullptr;
  void* out = nullptr;
  std::int64_t q_stride = 0;
  std::int64_t out_stride = 0;
  bool half = false;  // q and out are kF16, not kBF16
  Int4FewTarget few;  // out goes there instead; attend_decode, heads of 128

  const void* keys = nullptr;
  const void* values = nullptr;
  KvType kv_type = KvType::kBF16;
  std::int64_t head_stride = 0;
  std::int64_t block_stride = 0;
  std::int32_t block_tokens = 16;

  const std::int32_t* row_sequence = nullptr;
  const RaggedBatch::Sequence* sequences = nullptr;
  const std::int32_t* block_tables = nullptr;
  std::int32_t rows = 0;
  std::int32_t sequence_count = 0;

  std::int32_t kv_heads = 0;
  std::int32_t group = 1;  // query heads to a KV head
  std::int32_t head_dim = 0;
  std::int32_t window = 0;
  Divisor by_group;        // group
  Divisor slabs_in_block;  // block_tokens / 16
  // A score, as a power of 2: inner_scale * dot, or with a softcap softcap * tanh(inner_scale *
  // dot), softcap times log2(e).
  float inner_scale = 0.0F;
  float softcap = 0.0F;
  bool context_ready = false;  // as AttentionScratch
};

constexpr bool fast_heads(std::int32_t head_dim, std::int32_t block_tokens) {
  return (head_dim == 64 || head_dim == 96 || head_dim == 128 || head_dim == 256) &&
         block_tokens % 16 == 0;
}

// Of a tile that attend_decode takes as columns: usual_rows times the group, at most.
inline constexpr std::int32_t kColumnRows = 8;

std::size_t decode_scratch_bytes(const Launch& launch, std::int32_t head_dim);
void attend_decode(const Launch& launch, const AttentionArguments& arguments,
                   std::int32_t most_rows, std::int32_t usual_rows, void* scratch);
void attend_prefill(const Launch& launch, const AttentionArguments& arguments,
                    std::int32_t fewest_rows);
void attend_prefill_hopper(const Launch& launch, const AttentionArguments& arguments,
                           std::int32_t fewest_rows, std::int32_t most_rows, unsigned* counter);
void attend_plain(const Launch& launch, const AttentionArguments& arguments);

}  // namespace hangar::cuda
