#include "backend/cpu/quantized_rows.h"

#include "backend/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/quantized_rows.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "backend/cpu/simd-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace hangar::cpu::HWY_NAMESPACE {

// A group of 32 columns of one row: x, less what a coarser quantization of it holds already.
struct Group {
  const float* x;
  const std::int8_t* coarse = nullptr;
  float coarse_scale = 0.0F;

  HWY_INLINE VF load(std::int64_t i) const {
    const DF df;
    const VF all = hn::LoadU(df, x + i);
    if (coarse == nullptr) return all;
    const hn::Rebind<std::int8_t, DF> d8;
    const VF q = hn::ConvertTo(df, hn::PromoteTo(DI(), hn::LoadU(d8, coarse + i)));
    return hn::NegMulAdd(q, hn::Set(df, coarse_scale), all);
  }
};

// Its columns from `first` on, 16 of them: stores round(x * inverse) and returns the sum.
HWY_INLINE std::int32_t quantize_half(const Group& from, std::int64_t first, float inverse,
                                      std::int8_t* to) {
  const DF df;
  const DI di;
  const hn::Rebind<std::int8_t, DF> d8;
  VI sum = hn::Zero(di);
  for (std::int64_t i = 0; i < 16; i += kLanes) {
    const VI q = hn::NearestInt(hn::Mul(from.load(first + i), hn::Set(df, inverse)));
    sum = hn::Add(sum, q);
    hn::StoreU(hn::DemoteTo(d8, q), d8, to + i);
  }
  return hn::GetLane(hn::SumOfLanes(di, sum));
}

void QuantizeRow(const QuantizedRows& to, std::int64_t row, const float* x,
                 const QuantizedRows* coarse) {
  const DF df;
  const std::int64_t groups = to.groups();
  for (std::int64_t g = 0; g < groups; ++g) {
    Group from{x + g * kActivationGroup};
    if (coarse != nullptr) {
      from.coarse = coarse->values + row * to.columns + g * kActivationGroup;
      from.coarse_scale = coarse->scales[row * groups + g];
    }
    VF largest = hn::Zero(df);
    for (std::int64_t i = 0; i < kActivationGroup; i += kLanes) {
      largest = hn::Max(largest, hn::Abs(from.load(i)));
    }
    const float bound = max_of_lanes(df, largest);
    // Below this, 127 / bound would overflow.
    const bool zero = bound < 1e-30F;
    const float scale = zero ? 0.0F : bound / 127.0F;
    const float inverse = zero ? 0.0F : 127.0F / bound;
    std::int8_t* values = to.values + row * to.columns + g * kActivationGroup;
    const std::int32_t low = quantize_half(from, 0, inverse, values);
    const std::int32_t high = quantize_half(from, 16, inverse, values + 16);
    const std::int64_t at = row * groups + g;
    to.scales[at] = scale;
    to.scaled_sums[at] = scale * static_cast<float>(low + high);
    to.minus_8_sums[at] = -8 * (low + high);
    to.minus_128_sums[at] = -128 * (low + high);
    to.minus_128_halves[2 * at] = -128 * low;
    to.minus_128_halves[2 * at + 1] = -128 * high;
  }
}

}  // namespace hangar::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hangar::cpu {

HWY_EXPORT(QuantizeRow);

void quantize_row(const QuantizedRows& to, std::int64_t row, const float* x,
                  const QuantizedRows* coarse) {
  HWY_DYNAMIC_DISPATCH(QuantizeRow)(to, row, x, coarse);
}

std::int64_t QuantizedRowsBuffer::bytes_needed(std::int64_t rows, std::int64_t columns) {
  // A byte each, six numbers of 4 bytes per group, and room to align the six arrays.
  return rows * (columns + columns / kActivationGroup * 24) + 8 * 64;
}

Status QuantizedRowsBuffer::reserve(std::int64_t rows, std::int64_t columns) {
  const auto bytes = static_cast<std::size_t>(bytes_needed(rows, columns));
  if (bytes <= memory_.size_bytes()) return {};
  HANGAR_TRY(memory_, HostMemory::allocate(bytes, "quantized activations"));
  return {};
}

QuantizedRows QuantizedRowsBuffer::view(std::int64_t rows, std::int64_t columns) const {
  QuantizedRows x;
  x.columns = columns;
  std::byte* next = memory_.data();
  const auto take = [&next](std::int64_t bytes) {
    std::byte* taken = next;
    next += (bytes + 63) / 64 * 64;
    return taken;
  };
  const std::int64_t groups_bytes = rows * x.groups() * 4;
  x.values = reinterpret_cast<std::int8_t*>(take(rows * columns));
  x.scales = reinterpret_cast<float*>(take(groups_bytes));
  x.scaled_sums = reinterpret_cast<float*>(take(groups_bytes));
  x.minus_8_sums = reinterpret_cast<std::int32_t*>(take(groups_bytes));
  x.minus_128_sums = reinterpret_cast<std::int32_t*>(take(groups_bytes));
  x.minus_128_halves = reinterpret_cast<std::int32_t*>(take(2 * groups_bytes));
  return x;
}

}  // namespace hangar::cpu
#endif
