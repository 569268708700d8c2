#include "backend/cpu/kv_cache.h"

#include <algorithm>

#include "backend/cpu/simd.h"
#include "tensor/float16.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/kv_cache.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "backend/cpu/simd-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace hangar::cpu::HWY_NAMESPACE {

// kLanes numbers to half precision, rounded to nearest even.
HWY_INLINE void store_halves(VF v, std::uint16_t* to) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
  const hn::Rebind<hwy::float16_t, DF> d16;
  const hn::Rebind<std::uint16_t, DF> du16;
  hn::StoreU(hn::BitCast(du16, hn::DemoteTo(d16, v)), du16, to);
#else
  alignas(64) float lanes[16];
  hn::Store(v, DF(), lanes);
  for (std::int64_t i = 0; i < kLanes; ++i) to[i] = float_to_half(lanes[i]);
#endif
}

void WriteKvRow(const KvLayout& layout, std::int64_t kv_heads, std::uint16_t* block,
                std::int64_t slot, const float* k, const float* v) {
  const DF df;
  const std::int64_t n = layout.head_dim;
  for (std::int64_t head = 0; head < kv_heads; ++head, k += n, v += n, block += layout.unit) {
    std::uint16_t* key = block + slot / kTileTokens * kTileTokens * n + slot % kTileTokens;
    std::uint16_t* value = block + layout.values_at + slot * layout.value_stride;
    for (std::int64_t d = 0; d < n; d += kLanes) {
      alignas(64) std::uint16_t halves[16];
      store_halves(load_first(df, k + d, n - d), halves);
      for (std::int64_t i = 0; i < std::min(kLanes, n - d); ++i) {
        key[(d + i) * kTileTokens] = halves[i];
      }
      store_halves(load_first(df, v + d, n - d), value + d);
    }
  }
}

}  // namespace hangar::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hangar::cpu {

HWY_EXPORT(WriteKvRow);

void write_kv_row(const KvLayout& layout, std::int64_t kv_heads, std::uint16_t* block,
                  std::int64_t slot, const float* k, const float* v) {
  HWY_DYNAMIC_DISPATCH(WriteKvRow)(layout, kv_heads, block, slot, k, v);
}

namespace {
std::int64_t rounded_up(std::int64_t n, std::int64_t to) {
  return (n + to - 1) / to * to;
}
}  // namespace

KvLayout::KvLayout(const KvShape& shape)
    : head_dim(shape.head_dim),
      value_stride(rounded_up(shape.head_dim, 16)),
      block_tokens(shape.block_tokens),
      values_at(rounded_up(shape.block_tokens, kTileTokens) * shape.head_dim),
      unit(rounded_up(values_at + block_tokens * value_stride, 32)),
      block(shape.kv_heads * unit) {}

}  // namespace hangar::cpu
#endif
