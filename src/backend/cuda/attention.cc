#include "backend/cuda/attention.h"

#include <stdexcept>

#include "backend/cuda/attention_kernels.h"

namespace hangar::cuda {
namespace {

constexpr float kLog2E = 1.44269504F;
// Query heads of one KV head that a tile of the prefill kernel takes.
constexpr std::int32_t kMostGroup = 128;
// Of scratch, before what the decode kernel has of it: the prefill kernel's counter.
constexpr std::size_t kCounterBytes = 256;

bool is_half(DType type) {
  if (type == DType::kF16) return true;
  if (type == DType::kBF16) return false;
  throw std::invalid_argument("attention: no kernel for activations of this type");
}

// Rows can be moved 16 bytes at a time.
bool aligned(const Activation& x) {
  return reinterpret_cast<std::uintptr_t>(x.data) % 16 == 0 && x.row_stride() % 8 == 0;
}

bool aligned(const KvLayer& layer) {
  return reinterpret_cast<std::uintptr_t>(layer.keys) % 16 == 0 &&
         reinterpret_cast<std::uintptr_t>(layer.values) % 16 == 0;
}

// Heads of 256 want more shared memory than every card has.
bool room_for(std::int32_t head_dim) {
  constexpr int kWideBytes = 163 << 10;
  if (head_dim <= 128) return true;
  int device = 0;
  int most = 0;
  HANGAR_CUDA(cudaGetDevice(&device));
  HANGAR_CUDA(cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
  return most >= kWideBytes;
}

// Whether another than the plain kernel takes it.
bool is_fast(const Activation& out, const Activation& q, const KvLayer& layer,
             const AttentionShape& shape) {
  return fast_heads(shape.head_dim, layer.block_tokens) &&
         shape.heads / shape.kv_heads <= kMostGroup && aligned(q) && aligned(out) &&
         aligned(layer) && shape.scale > 0.0F && room_for(shape.head_dim);
}

}  // namespace

bool attention_gives_few(const Launch& launch, Activation out, Activation q, const KvLayer& layer,
                         const DeviceBatch& batch, const AttentionShape& shape) {
  return shape.head_dim == kInt4Columns && takes_few(launch, out.rows) &&
         batch.sequence_count > 0 &&
         batch.plan_max_rows * (shape.heads / shape.kv_heads) <= kColumnRows &&
         is_fast(out, q, layer, shape);
}

std::size_t attention_scratch_bytes(const Launch& launch, std::int32_t head_dim) {
  return kCounterBytes + decode_scratch_bytes(launch, head_dim);
}

void attention(const Launch& launch, Activation out, Activation q, const KvLayer& layer,
               const DeviceBatch& batch, const AttentionShape& shape,
               const AttentionScratch& scratch) {
  if (batch.rows == 0 || batch.sequence_count == 0) return;
  if (q.dtype != out.dtype) throw std::invalid_argument("attention: q and out of two types");
  AttentionArguments a;
  a.q = q.data;
  a.out = out.data;
  a.q_stride = q.row_stride();
  a.out_stride = out.row_stride();
  a.half = is_half(q.dtype);
  a.keys = layer.keys;
  a.values = layer.values;
  a.kv_type = layer.type;
  a.head_stride = layer.head_stride();
  a.block_stride = layer.block_stride();
  a.block_tokens = layer.block_tokens;
  a.row_sequence = batch.row_sequence;
  a.sequences = batch.sequences;
  a.block_tables = batch.block_tables;
  a.rows = batch.rows;
  a.sequence_count = batch.sequence_count;
  a.kv_heads = shape.kv_heads;
  a.group = shape.heads / shape.kv_heads;
  a.head_dim = shape.head_dim;
  a.by_group = Divisor(a.group);
  a.slabs_in_block = Divisor(std::max(1, layer.block_tokens / kSlabTokens));
  a.window = shape.window;
  a.inner_scale = shape.softcap > 0.0F ? shape.scale / shape.softcap : shape.scale * kLog2E;
  a.softcap = shape.softcap > 0.0F ? shape.softcap * kLog2E : 0.0F;
  a.context_ready = scratch.context_ready;
  a.few = scratch.few;

  if (!is_fast(out, q, layer, shape)) {
    attend_plain(launch, a);
    return;
  }
  const bool all_by_decode = launch.deterministic || batch.plan_max_rows <= kDecodeRows;
  auto* memory = static_cast<std::byte*>(scratch.memory);
  if (!all_by_decode && launch.hopper) {
    attend_prefill_hopper(launch, a, kDecodeRows, batch.plan_max_rows,
                          reinterpret_cast<unsigned*>(memory));
  } else if (!all_by_decode) {
    attend_prefill(launch, a, kDecodeRows);
  }
  // The prefill kernel lets the next begin after it has waited: the context is as ready as it was.
  if (all_by_decode) {
    attend_decode(launch, a, batch.plan_max_rows, batch.plan_max_rows, memory + kCounterBytes);
  } else {  // those beside prompts are decoded, a row each
    attend_decode(launch, a, kDecodeRows, 1, memory + kCounterBytes);
  }
}

}  // namespace hangar::cuda
