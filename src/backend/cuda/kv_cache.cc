#include "backend/cuda/kv_cache.h"

#include <algorithm>
#include <limits>
#include <unordered_map>

#include "backend/host_memory.h"

namespace hangar::cuda {
namespace {

// Of `blocks` blocks, all layers.
std::size_t bytes_of(const KvShape& shape, std::int64_t blocks) {
  const KvLayer head{.type = shape.type,
                     .kv_heads = 1,
                     .head_dim = shape.head_dim,
                     .block_tokens = shape.block_tokens};
  // In FP8 a head's stride holds both keys and values.
  const std::int64_t tensors = shape.type == KvType::kFp8 ? 1 : 2;
  return checked_product({tensors, head.element_bytes(), shape.layers, blocks, head.head_stride(),
                          shape.kv_heads})
      .value_or(std::numeric_limits<std::size_t>::max());
}

}  // namespace

Status check_kv_type(KvType type) {
  if (type == KvType::kF16 || type == KvType::kBF16 || type == KvType::kFp8) return {};
  return make_error(ErrorCode::kUnsupported,
                    "the cuda backend keeps keys and values in bf16, f16 or fp8, not in {}",
                    kKvTypeNames.of(type));
}

std::size_t kv_block_bytes(const KvShape& shape) {
  return bytes_of(shape, 1);
}

std::size_t kv_cache_bytes(const KvShape& shape) {
  return bytes_of(shape, std::int64_t{shape.blocks} + 1);
}

std::int32_t kv_blocks_in(std::uint64_t bytes, const KvShape& shape) {
  const std::uint64_t all = bytes / std::max<std::uint64_t>(1, kv_block_bytes(shape));
  constexpr std::uint64_t kMost = std::numeric_limits<std::int32_t>::max();
  return static_cast<std::int32_t>(std::min(all - std::min<std::uint64_t>(all, 1), kMost));
}

CudaKvCache::CudaKvCache(const KvShape& kv_shape, void* memory) : memory_(memory) {
  shape = kv_shape;
  memory_bytes = kv_cache_bytes(kv_shape);
}

KvLayer CudaKvCache::layer(std::int32_t index) const {
  KvLayer made{.type = shape.type,
               .kv_heads = shape.kv_heads,
               .head_dim = shape.head_dim,
               .block_tokens = shape.block_tokens};
  const std::int64_t bytes =
      (std::int64_t{shape.blocks} + 1) * made.block_stride() * made.element_bytes();
  const bool fp8 = shape.type == KvType::kFp8;
  std::byte* keys = static_cast<std::byte*>(memory_) + (fp8 ? 1 : 2) * index * bytes;
  made.keys = keys;
  made.values = keys + (fp8 ? fp8_slab_bytes(shape.head_dim) : bytes);
  return made;
}

std::vector<std::int32_t> copy_waves(std::span<const BlockCopy> copies) {
  struct Use {
    std::size_t read_in = 0;  // the last part that does, counted from 1
    std::size_t written_in = 0;
  };
  std::vector<std::int32_t> ends;
  if (copies.empty()) return ends;
  std::unordered_map<std::int32_t, Use> uses;
  std::size_t part = 1;
  for (std::size_t i = 0; i < copies.size(); ++i) {
    Use& from = uses[copies[i].from];
    Use& to = uses[copies[i].to];  // references stay good while the map grows
    if (from.written_in == part || to.written_in == part || to.read_in == part) {
      ends.push_back(static_cast<std::int32_t>(i));
      ++part;
    }
    from.read_in = part;
    to.written_in = part;
  }
  ends.push_back(static_cast<std::int32_t>(copies.size()));
  return ends;
}

void copy_kv_blocks(const Launch& launch, const CudaKvCache& cache, const BlockCopy* copies,
                    std::span<const std::int32_t> wave_ends) {
  const KvLayer layer = cache.layer(0);
  const std::int64_t block_bytes = layer.block_stride() * layer.element_bytes();
  copy_kv_blocks(launch,
                 KvTensors{.memory = layer.keys,
                           .count = (layer.type == KvType::kFp8 ? 1 : 2) * cache.shape.layers,
                           .bytes = block_bytes * (std::int64_t{cache.shape.blocks} + 1),
                           .block_bytes = block_bytes},
                 copies, wave_ends);
}

}  // namespace hangar::cuda
