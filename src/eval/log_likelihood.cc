#include "eval/log_likelihood.h"

#include <cmath>
#include <cstddef>

// A vocabulary's exponentials for every token scored: with vectors, or it would be seen beside the
// model itself.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "eval/log_likelihood.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace hangar::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// The largest of n > 0 logits; NaN wins.
float Largest(const float* logits, std::size_t n) {
  float largest = logits[0];
  for (std::size_t i = 1; i < n; ++i) {
    if (!(logits[i] <= largest)) largest = logits[i];
  }
  return largest;
}

double LogSumExp(const float* logits, std::size_t n) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> df;
  const std::size_t lanes = hn::Lanes(d);
  const float largest = Largest(logits, n);
  const auto shift = hn::Set(d, static_cast<double>(largest));
  auto sum = hn::Zero(d);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto logit = hn::PromoteTo(d, hn::LoadU(df, logits + i));
    sum = hn::Add(sum, hn::Exp(d, hn::Sub(logit, shift)));
  }
  double total = hn::GetLane(hn::SumOfLanes(d, sum));
  for (; i < n; ++i) {
    total += std::exp(static_cast<double>(logits[i]) - static_cast<double>(largest));
  }
  return std::log(total) + static_cast<double>(largest);
}

}  // namespace hangar::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hangar {

HWY_EXPORT(LogSumExp);

double negative_log_likelihood(std::span<const float> logits, std::int32_t token) {
  const double total = HWY_DYNAMIC_DISPATCH(LogSumExp)(logits.data(), logits.size());
  return total - static_cast<double>(logits[static_cast<std::size_t>(token)]);
}

}  // namespace hangar
#endif
