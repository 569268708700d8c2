#include "backend/cpu/bf16_rows.h"

#include <algorithm>
#include <cmath>

#include "backend/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/bf16_rows.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "backend/cpu/simd-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace hangar::cpu::HWY_NAMESPACE {

// The float nearest to x of those that bf16 holds, ties to even; what is no number stays so.
HWY_INLINE VF nearest_bf16(VF x) {
  const DF df;
  const DI di;
  const VI bits = hn::BitCast(di, x);
  const VI odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(di, 1));
  const VI rounded = hn::Add(bits, hn::Add(odd, hn::Set(di, 0x7FFF)));
  const VF high = hn::BitCast(df, hn::And(rounded, hn::Set(di, -65536)));
  return hn::IfThenElse(hn::Eq(x, x), high, hn::Set(df, std::nanf("")));
}

// Its upper halves, which say all of it.
HWY_INLINE void store_bf16(VF x, std::uint16_t* to) {
  const hn::Rebind<std::uint16_t, DF> d16;
  const VI upper = hn::And(hn::ShiftRight<16>(hn::BitCast(DI(), x)), hn::Set(DI(), 0xFFFF));
  hn::StoreU(hn::DemoteTo(d16, upper), d16, to);
}

void RoundBf16Row(const Bf16Rows& to, std::int64_t row, const float* x, bool low) {
  const DF df;
  const std::int64_t at = to.row_at(row);
  for (std::int64_t b = 0; b < to.blocks(); ++b) {
    for (std::int64_t i = 0; i < kBf16Block; i += kLanes) {
      const std::int64_t left = to.columns - b * kBf16Block - i;
      const VF all = left <= 0 ? hn::Zero(df) : load_first(df, x + b * kBf16Block + i, left);
      const VF high = nearest_bf16(all);
      store_bf16(high, to.high + at + b * kTileElements + i);
      if (low) {
        store_bf16(nearest_bf16(hn::Sub(all, high)), to.low + at + b * kTileElements + i);
      }
    }
  }
}

}  // namespace hangar::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hangar::cpu {

HWY_EXPORT(RoundBf16Row);

void round_bf16_row(const Bf16Rows& to, std::int64_t row, const float* x, bool low) {
  HWY_DYNAMIC_DISPATCH(RoundBf16Row)(to, row, x, low);
}

std::int64_t Bf16RowsBuffer::plane_elements(std::int64_t rows, std::int64_t columns) {
  const std::int64_t tiles = (rows + kTileRows - 1) / kTileRows;
  return tiles * kTileElements * ((columns + kBf16Block - 1) / kBf16Block);
}

Status Bf16RowsBuffer::reserve(std::int64_t rows, std::int64_t columns) {
  const auto bytes = static_cast<std::size_t>(plane_elements(rows, columns)) * 4;
  if (bytes <= memory_.size_bytes()) return {};
  HANGAR_TRY(memory_, HostMemory::allocate(bytes, "rounded activations"));
  return {};
}

Bf16Rows Bf16RowsBuffer::view(std::int64_t rows, std::int64_t columns) const {
  auto* high = memory_.as<std::uint16_t>();
  return {columns, high, high + plane_elements(rows, columns)};
}

}  // namespace hangar::cpu
#endif
