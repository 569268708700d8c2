// The reference operations on plain float32 matrices; Backend's comments say what each computes.
//
// Promise: straight from the definitions, sums in double.
// Threads: pure functions of their arguments.
#pragma once

#include <cstdint>
#include <span>

#include "backend/backend.h"

namespace hangar::ref {

// keys[layer], values: [block][token][kv_heads * head_dim], all of one layer.
struct KvLayer {
  float* keys = nullptr;
  float* values = nullptr;
  std::int32_t block_tokens = 0;
  std::int64_t width = 0;  // kv_heads * head_dim
  std::int64_t head_dim = 0;
  KvType type = KvType::kF32;

  float* key(std::int64_t block, std::int64_t slot) const {
    return keys + (block * block_tokens + slot) * width;
  }
  float* value(std::int64_t block, std::int64_t slot) const {
    return values + (block * block_tokens + slot) * width;
  }
};

// The block and slot of position p of a sequence.
struct KvSlot {
  std::int64_t block = 0;
  std::int64_t slot = 0;
};
KvSlot kv_slot(const RaggedBatch& batch, const RaggedBatch::Sequence& sequence, std::int64_t p);

// One KV head's key or value as `type` keeps it. What is not finite makes all of an int8
// or fp8 row NaN.
void round_kv(KvType type, std::span<const float> from, float* to);

void rms_norm(Activation out, Activation x, const float* weight, float eps);
void matmul(Activation y, Activation x, const float* weight);
void add_bias(Activation y, const float* bias);
void rope(Activation x, std::int32_t head_dim, std::span<const std::int32_t> positions,
          const RopeTable& table);
void write_kv(const KvLayer& cache, Activation k, Activation v, const RaggedBatch& batch);
void attention(Activation out, Activation q, const KvLayer& cache, const RaggedBatch& batch,
               const AttentionShape& shape);
void gate_mul(Activation out, Activation gate, Activation up, GateFunction f);
void scale(Activation x, float factor);
void softcap(Activation x, float cap);
void add(Activation x, Activation y);
void scatter_add_rows(Activation x, Activation y, std::span<const std::int32_t> rows,
                      std::span<const float> weights);
void top_experts(Activation scores, std::int32_t k, bool normalize, std::span<std::int32_t> ids,
                 std::span<float> weights);
void sample(Activation logits, std::span<const SampleRow> rows, std::span<Sampled> out);

}  // namespace hangar::ref
