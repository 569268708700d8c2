#include "backend/cpu/sampling_kernels.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "backend/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/sampling_kernels.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "backend/cpu/simd-inl.h"
#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace hangar::cpu::HWY_NAMESPACE {

inline constexpr float kInfinity = std::numeric_limits<float>::infinity();

// The first `count` numbers at `from`, and `beyond` in what lanes are left.
HWY_INLINE VF load_padded(const float* from, std::int64_t count, float beyond) {
  if (count >= kLanes) return hn::LoadU(DF(), from);
  alignas(64) float lanes[16];
  std::fill_n(lanes, 16, beyond);
  std::memcpy(lanes, from, static_cast<std::size_t>(count) * sizeof(float));
  return hn::Load(DF(), lanes);
}

// Minus infinity where a logit is not finite.
HWY_INLINE VF finite_logits(VF x) {
  const DF df;
  return hn::IfThenElse(hn::Lt(hn::Abs(x), hn::Set(df, kInfinity)), x, hn::Set(df, -kInfinity));
}

// A sum of floats in double.
class DoubleSum {
 public:
#if HWY_TARGET == HWY_SCALAR
  void add(VF v) { sum_ += static_cast<double>(hn::GetLane(v)); }
  double total() const { return sum_; }

 private:
  double sum_ = 0.0;
#else
  HWY_INLINE DoubleSum() : low_(hn::Zero(DD())), high_(hn::Zero(DD())) {}
  HWY_INLINE void add(VF v) {
    const hn::Half<DF> half;
    low_ = hn::Add(low_, hn::PromoteTo(DD(), hn::LowerHalf(half, v)));
    high_ = hn::Add(high_, hn::PromoteTo(DD(), hn::UpperHalf(half, v)));
  }
  HWY_INLINE double total() const {
    return hn::GetLane(hn::SumOfLanes(DD(), hn::Add(low_, high_)));
  }

 private:
  using DD = hn::Repartition<double, DF>;
  hn::Vec<DD> low_;
  hn::Vec<DD> high_;
#endif
};

void BlockMaxima(const float* logits, std::int64_t n, float* maxima) {
  const DF df;
  for (std::int64_t begin = 0; begin < n; begin += kTokenBlock) {
    const std::int64_t end = std::min(n, begin + kTokenBlock);
    VF most0 = hn::Set(df, -kInfinity);
    VF most1 = most0;
    std::int64_t i = begin;
    for (; i + 2 * kLanes <= end; i += 2 * kLanes) {
      most0 = hn::Max(most0, finite_logits(hn::LoadU(df, logits + i)));
      most1 = hn::Max(most1, finite_logits(hn::LoadU(df, logits + i + kLanes)));
    }
    for (; i < end; i += kLanes) {
      most0 = hn::Max(most0, finite_logits(load_padded(logits + i, end - i, -kInfinity)));
    }
    maxima[begin / kTokenBlock] = max_of_lanes(df, hn::Max(most0, most1));
  }
}

std::int64_t FirstEqual(const float* logits, std::int64_t n, float value) {
  const DF df;
  const VF wanted = hn::Set(df, value);
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const auto found = hn::FindFirstTrue(df, hn::Eq(hn::LoadU(df, logits + i), wanted));
    if (found >= 0) return i + found;
  }
  while (i + 1 < n && logits[i] != value) ++i;
  return i;
}

HWY_INLINE VF weights_of(VF x, const Weighing& weighing) {
  const DF df;
  const VF below = hn::Sub(finite_logits(x), hn::Set(df, weighing.largest));
  // Infinite differences and temperatures make what is not a number: no weight, like minus
  // infinity.
  const VF exponent = finite_logits(hn::Mul(below, hn::Set(df, weighing.inverse_temperature)));
  const VF weight = hn::Exp(df, exponent);
  return hn::IfThenElseZero(hn::Ge(weight, hn::Set(df, weighing.least)), weight);
}

void WeighLogits(const float* logits, std::int64_t n, const Weighing& weighing, float* weights) {
  const DF df;
  for (std::int64_t i = 0; i < n; i += kLanes) {
    const VF x = load_padded(logits + i, n - i, -kInfinity);
    store_first(weights_of(x, weighing), df, weights + i, n - i);
  }
}

// Sums of blocks of what weight(i, elements left) gives.
template <typename Weight>
HWY_INLINE void sum_blocks(std::int64_t n, double* sums, const Weight& weight) {
  for (std::int64_t begin = 0; begin < n; begin += kTokenBlock) {
    const std::int64_t end = std::min(n, begin + kTokenBlock);
    DoubleSum sum;
    for (std::int64_t i = begin; i < end; i += kLanes) sum.add(weight(i, end - i));
    sums[begin / kTokenBlock] = sum.total();
  }
}

void SumWeighed(const float* logits, std::int64_t n, const Weighing& weighing, double* sums) {
  sum_blocks(n, sums, [&](std::int64_t i, std::int64_t left) HWY_ATTR {
    return weights_of(load_padded(logits + i, left, -kInfinity), weighing);
  });
}

void SumWeights(const float* weights, std::int64_t n, float least, double* sums) {
  sum_blocks(n, sums, [&](std::int64_t i, std::int64_t left) HWY_ATTR {
    const VF weight = load_padded(weights + i, left, 0.0F);
    return hn::IfThenElseZero(hn::Ge(weight, hn::Set(DF(), least)), weight);
  });
}

void CollectTokens(const float* logits, std::int64_t n, float least, std::int32_t first_id,
                   TokenList& list) {
  const DF df;
  const DI di;
  const VF bound = hn::Set(df, least);
  const VF infinity = hn::Set(df, kInfinity);
  for (std::int64_t i = 0; i < n; i += kLanes) {
    const VF x = load_padded(logits + i, n - i, -kInfinity);
    const auto wanted = hn::And(hn::Ge(x, bound), hn::Lt(hn::Abs(x), infinity));
    if (hn::AllFalse(df, wanted)) continue;
    const VI ids = hn::Iota(di, first_id + static_cast<std::int32_t>(i));
    hn::CompressStore(ids, hn::RebindMask(di, wanted), di, list.ids + list.count);
    list.count +=
        static_cast<std::int64_t>(hn::CompressStore(x, wanted, df, list.logits + list.count));
  }
}

void KeepFront(TokenList& list, TokenCut cut) {
  const DF df;
  const DI di;
  const VF threshold = hn::Set(df, cut.threshold);
  const VF infinity = hn::Set(df, kInfinity);
  std::int64_t kept = 0;
  for (std::int64_t i = 0; i < list.count; i += kLanes) {
    VF x = load_padded(list.logits + i, list.count - i, -kInfinity);
    if (!hn::AllFalse(df, hn::Eq(x, threshold))) {
      // Ties beyond those wanted count as less.
      alignas(64) float lanes[16];
      hn::Store(x, df, lanes);
      for (std::int64_t lane = 0; lane < kLanes; ++lane) {
        if (lanes[lane] == cut.threshold && --cut.ties < 0) lanes[lane] = -kInfinity;
      }
      x = hn::Load(df, lanes);
    }
    const auto wanted = hn::And(hn::Ge(x, threshold), hn::Gt(x, hn::Neg(infinity)));
    const VI ids = hn::BitCast(
        di, load_first(df, reinterpret_cast<const float*>(list.ids + i), list.count - i));
    const VF weights = load_first(df, list.weights + i, list.count - i);
    hn::CompressStore(ids, hn::RebindMask(di, wanted), di, list.ids + kept);
    hn::CompressStore(weights, wanted, df, list.weights + kept);
    kept += static_cast<std::int64_t>(hn::CompressStore(x, wanted, df, list.logits + kept));
  }
  list.count = kept;
}

ValueSplit SplitValues(const float* values, const float* weights, std::int64_t n, float pivot) {
  const DF df;
  const VF p = hn::Set(df, pivot);
  DoubleSum above;
  DoubleSum at;
  for (std::int64_t i = 0; i < n; i += kLanes) {
    const VF x = load_padded(values + i, n - i, -kInfinity);
    const VF w = weights == nullptr ? hn::Set(df, 1.0F) : load_padded(weights + i, n - i, 0.0F);
    above.add(hn::IfThenElseZero(hn::Gt(x, p), w));
    at.add(hn::IfThenElseZero(hn::Eq(x, p), w));
  }
  return {above.total(), at.total()};
}

std::int64_t KeepSide(float* values, float* weights, std::int64_t n, float pivot, bool above) {
  const DF df;
  const VF p = hn::Set(df, pivot);
  // Neither above nor below anything.
  const float beyond = std::numeric_limits<float>::quiet_NaN();
  std::int64_t kept = 0;
  for (std::int64_t i = 0; i < n; i += kLanes) {
    const VF x = load_padded(values + i, n - i, beyond);
    const auto wanted = above ? hn::Gt(x, p) : hn::Lt(x, p);
    if (weights != nullptr) {
      const VF w = load_padded(weights + i, n - i, 0.0F);
      hn::CompressStore(w, wanted, df, weights + kept);
    }
    kept += static_cast<std::int64_t>(hn::CompressStore(x, wanted, df, values + kept));
  }
  return kept;
}

}  // namespace hangar::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hangar::cpu {

HWY_EXPORT(BlockMaxima);
HWY_EXPORT(FirstEqual);
HWY_EXPORT(WeighLogits);
HWY_EXPORT(SumWeighed);
HWY_EXPORT(SumWeights);
HWY_EXPORT(CollectTokens);
HWY_EXPORT(KeepFront);
HWY_EXPORT(SplitValues);
HWY_EXPORT(KeepSide);

void block_maxima(const float* logits, std::int64_t n, float* maxima) {
  HWY_DYNAMIC_DISPATCH(BlockMaxima)(logits, n, maxima);
}
std::int64_t first_equal(const float* logits, std::int64_t n, float value) {
  return HWY_DYNAMIC_DISPATCH(FirstEqual)(logits, n, value);
}
void weigh_logits(const float* logits, std::int64_t n, const Weighing& weighing, float* weights) {
  HWY_DYNAMIC_DISPATCH(WeighLogits)(logits, n, weighing, weights);
}
void sum_weighed(const float* logits, std::int64_t n, const Weighing& weighing, double* sums) {
  HWY_DYNAMIC_DISPATCH(SumWeighed)(logits, n, weighing, sums);
}
void sum_weights(const float* weights, std::int64_t n, float least, double* sums) {
  HWY_DYNAMIC_DISPATCH(SumWeights)(weights, n, least, sums);
}
void collect_tokens(const float* logits, std::int64_t n, float least, std::int32_t first_id,
                    TokenList& list) {
  HWY_DYNAMIC_DISPATCH(CollectTokens)(logits, n, least, first_id, list);
}
void keep_front(TokenList& list, TokenCut cut) {
  HWY_DYNAMIC_DISPATCH(KeepFront)(list, cut);
}
ValueSplit split_values(const float* values, const float* weights, std::int64_t n, float pivot) {
  return HWY_DYNAMIC_DISPATCH(SplitValues)(values, weights, n, pivot);
}
std::int64_t keep_side(float* values, float* weights, std::int64_t n, float pivot, bool above) {
  return HWY_DYNAMIC_DISPATCH(KeepSide)(values, weights, n, pivot, above);
}

}  // namespace hangar::cpu
#endif
