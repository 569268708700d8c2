#include "backend/cpu/token_cut.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace hangar::cpu {
namespace {

// Few enough to sort.
constexpr std::int64_t kFew = 64;

float sampled_median(const float* values, std::int64_t n) {
  std::array<float, 15> sample;
  const auto size = static_cast<std::int64_t>(sample.size());
  for (std::int64_t i = 0; i < size; ++i) {
    sample[static_cast<std::size_t>(i)] = values[(2 * i + 1) * n / (2 * size)];
  }
  std::nth_element(sample.begin(), sample.begin() + size / 2, sample.end());
  return sample[static_cast<std::size_t>(size / 2)];
}

constexpr TokenCut kAll = {-std::numeric_limits<float>::infinity(), 0};

// The cut among at most kFew values, of which those above weigh `above`.
TokenCut cut_of_few(const float* values, const float* weights, std::int64_t n, double above,
                    double wanted) {
  struct Value {
    float value;
    float weight;
  };
  std::array<Value, kFew> sorted;
  for (std::int64_t i = 0; i < n; ++i) {
    sorted[static_cast<std::size_t>(i)] = {values[i], weights == nullptr ? 1.0F : weights[i]};
  }
  const auto end = sorted.begin() + n;
  std::sort(sorted.begin(), end, [](Value a, Value b) { return a.value > b.value; });
  TokenCut cut;
  for (auto it = sorted.begin(); it != end; ++it) {
    if (it == sorted.begin() || it->value != cut.threshold) cut = {it->value, 0};
    ++cut.ties;
    above += static_cast<double>(it->weight);
    if (above >= wanted) return cut;
  }
  return kAll;
}

}  // namespace

TokenCut find_cut(float* values, float* weights, std::int64_t n, double wanted) {
  wanted = std::max(wanted, std::numeric_limits<double>::min());
  double above = 0.0;  // the weight of all that is larger than what is left
  while (n > kFew) {
    const float pivot = sampled_median(values, n);
    const ValueSplit split = split_values(values, weights, n, pivot);
    if (above + split.above >= wanted) {
      n = keep_side(values, weights, n, pivot, true);
      continue;
    }
    above += split.above;
    if (above + split.at >= wanted) {
      const double count = split_values(values, nullptr, n, pivot).at;
      const double ties = std::ceil((wanted - above) / (split.at / count));
      return {pivot, static_cast<std::int64_t>(std::clamp(ties, 1.0, count))};
    }
    above += split.at;
    n = keep_side(values, weights, n, pivot, false);
  }
  return cut_of_few(values, weights, n, above, wanted);
}

}  // namespace hangar::cpu
