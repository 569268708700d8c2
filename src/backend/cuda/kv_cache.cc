#include "backend/cuda/kv_cache.h"

#include <limits>
#include <unordered_map>

#include "backend/host_memory.h"

namespace hangar::cuda {
namespace {

constexpr std::int64_t kElementBytes = 2;

}  // namespace

Status check_kv_type(KvType type) {
  if (type == KvType::kF16 || type == KvType::kBF16) return {};
  return make_error(ErrorCode::kUnsupported,
                    "the cuda backend keeps keys and values in bf16 or f16, not in {}",
                    kv_type_name(type));
}

std::size_t kv_block_bytes(const KvShape& shape) {
  return checked_product(
             {2, kElementBytes, shape.layers, shape.block_tokens, shape.kv_heads, shape.head_dim})
      .value_or(std::numeric_limits<std::size_t>::max());
}

std::size_t kv_cache_bytes(const KvShape& shape) {
  return checked_product({2, kElementBytes, shape.layers, std::int64_t{shape.blocks} + 1,
                          shape.block_tokens, shape.kv_heads, shape.head_dim})
      .value_or(std::numeric_limits<std::size_t>::max());
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
  const std::int64_t bytes = (std::int64_t{shape.blocks} + 1) * made.block_stride() * kElementBytes;
  std::byte* keys = static_cast<std::byte*>(memory_) + 2 * index * bytes;
  made.keys = keys;
  made.values = keys + bytes;
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
  copy_kv_blocks(
      launch,
      KvTensors{.memory = layer.keys,
                .count = 2 * cache.shape.layers,
                .elements = layer.block_stride() * (std::int64_t{cache.shape.blocks} + 1),
                .block_elements = layer.block_stride()},
      copies, wave_ends);
}

}  // namespace hangar::cuda
