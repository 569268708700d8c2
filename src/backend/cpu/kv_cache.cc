#include "backend/cpu/kv_cache.h"

#include <algorithm>
#include <cassert>
#include <limits>

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

// The same to bfloat16, which Highway cuts off.
HWY_INLINE void store_bfloats(VF v, std::uint16_t* to) {
  const hn::RebindToUnsigned<DF> du;
  const hn::Rebind<std::uint16_t, DF> du16;
  const auto bits = hn::BitCast(du, v);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1U));
  const auto rounded = hn::Add(hn::Add(bits, hn::Set(du, 0x7FFFU)), odd);
  const auto quiet = hn::Or(bits, hn::Set(du, 0x400000U));
  const auto is_nan = hn::RebindMask(du, hn::Ne(v, v));
  const auto high = hn::ShiftRight<16>(hn::IfThenElse(is_nan, quiet, rounded));
  hn::StoreU(hn::DemoteTo(du16, hn::BitCast(DI(), high)), du16, to);
}

struct HalfRow {
  using Element = std::uint16_t;
  HalfRow(const float* /*row*/, std::int64_t /*n*/) {}
  void store(VF v, std::uint16_t* to) const { store_halves(v, to); }
};

struct BFloatRow {
  using Element = std::uint16_t;
  BFloatRow(const float* /*row*/, std::int64_t /*n*/) {}
  void store(VF v, std::uint16_t* to) const { store_bfloats(v, to); }
};

// A row that has one scale: its largest magnitude becomes 127.
struct Int8Row {
  using Element = std::int8_t;
  HWY_INLINE Int8Row(const float* row, std::int64_t n) {
    const DF df;
    const DI di;
    // As integers magnitudes are in order, and what is not finite comes last.
    VI most = hn::Zero(di);
    for (std::int64_t d = 0; d < n; d += kLanes) {
      most = hn::Max(most, hn::BitCast(di, hn::Abs(load_first(df, row + d, n - d))));
    }
    const float largest = hn::GetLane(hn::BitCast(df, hn::MaxOfLanes(di, most)));
    const bool finite = largest < std::numeric_limits<float>::infinity();
    scale = finite ? largest / 127.0F : std::numeric_limits<float>::quiet_NaN();
  }
  HWY_INLINE void store(VF v, std::int8_t* to) const {
    const DF df;
    const hn::Rebind<std::int8_t, DF> d8;
    const VI most = hn::Set(DI(), 127);
    VI rounded = hn::Zero(DI());
    if (scale > 0.0F) rounded = hn::NearestInt(hn::Div(v, hn::Set(df, scale)));
    rounded = hn::Max(hn::Min(rounded, most), hn::Neg(most));
    hn::StoreU(hn::DemoteTo(d8, rounded), d8, to);
  }
  float scale;
};

template <typename Row>
void write_row(const KvLayout& layout, std::byte* unit, std::int64_t slot, const float* k,
               const float* v) {
  using Element = typename Row::Element;
  const DF df;
  const std::int64_t n = layout.head_dim;
  auto* elements = reinterpret_cast<Element*>(unit);
  Element* key = elements + slot / kTileTokens * kTileTokens * n + slot % kTileTokens;
  Element* value = elements + layout.values_at + slot * layout.value_stride;
  const Row keys(k, n);
  const Row values(v, n);
  if constexpr (sizeof(Element) == 1) {
    reinterpret_cast<float*>(unit + layout.key_scales_at)[slot] = keys.scale;
    reinterpret_cast<float*>(unit + layout.value_scales_at)[slot] = values.scale;
  }
  for (std::int64_t d = 0; d < n; d += kLanes) {
    alignas(64) Element lanes[16];
    keys.store(load_first(df, k + d, n - d), lanes);
    for (std::int64_t i = 0; i < std::min(kLanes, n - d); ++i) {
      key[(d + i) * kTileTokens] = lanes[i];
    }
    values.store(load_first(df, v + d, n - d), value + d);
  }
}

void WriteKvRow(const KvLayout& layout, std::int64_t kv_heads, std::byte* block, std::int64_t slot,
                const float* k, const float* v) {
  const std::int64_t n = layout.head_dim;
  for (std::int64_t head = 0; head < kv_heads; ++head) {
    std::byte* unit = block + head * layout.unit_bytes;
    switch (layout.type) {
      case KvType::kF32:  // check_kv_type keeps them away
      case KvType::kFp8:
        break;
      case KvType::kF16:
        write_row<HalfRow>(layout, unit, slot, k + head * n, v + head * n);
        break;
      case KvType::kBF16:
        write_row<BFloatRow>(layout, unit, slot, k + head * n, v + head * n);
        break;
      case KvType::kInt8:
        write_row<Int8Row>(layout, unit, slot, k + head * n, v + head * n);
        break;
    }
  }
}

}  // namespace hangar::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hangar::cpu {

HWY_EXPORT(WriteKvRow);

void write_kv_row(const KvLayout& layout, std::int64_t kv_heads, std::byte* block,
                  std::int64_t slot, const float* k, const float* v) {
  HWY_DYNAMIC_DISPATCH(WriteKvRow)(layout, kv_heads, block, slot, k, v);
}

namespace {

constexpr std::int64_t kUnitAlignmentBytes = 64;

std::int64_t rounded_up(std::int64_t n, std::int64_t to) {
  return (n + to - 1) / to * to;
}

std::int64_t element_bytes(KvType type) {
  return type == KvType::kInt8 ? 1 : 2;
}

std::int64_t scales_bytes(const KvShape& shape) {
  if (shape.type != KvType::kInt8) return 0;
  return rounded_up(shape.block_tokens, kTileTokens) * static_cast<std::int64_t>(sizeof(float));
}

}  // namespace

Status check_kv_type(KvType type) {
  if (type != KvType::kF32 && type != KvType::kFp8) return {};
  return make_error(ErrorCode::kUnsupported,
                    "the cpu backend keeps keys and values in f16, bf16 or int8, not in {}",
                    kKvTypeNames.of(type));
}

KvLayout::KvLayout(const KvShape& shape)
    : type(shape.type),
      head_dim(shape.head_dim),
      value_stride(rounded_up(shape.head_dim, 16)),
      block_tokens(shape.block_tokens),
      values_at(rounded_up(shape.block_tokens, kTileTokens) * shape.head_dim),
      key_scales_at((values_at + block_tokens * value_stride) * element_bytes(type)),
      value_scales_at(key_scales_at + scales_bytes(shape)),
      unit_bytes(rounded_up(value_scales_at + scales_bytes(shape), kUnitAlignmentBytes)),
      block_bytes(shape.kv_heads * unit_bytes) {}

}  // namespace hangar::cpu
#endif
