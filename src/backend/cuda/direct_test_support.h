// What the tests of products of one or two rows share: norms, and sums in double with what they may
// be off.
//
// Promise: sums_of() is x W^T, gated by silu where W has rows for both. `inputs`: what each may be
//   off, of the sum of its terms' magnitudes, beside what sums in float32 cost.
// Threads: values.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "backend/cuda/matmul_test_support.h"

namespace hangar::cuda {

struct DirectShape {
  std::int64_t rows;
  std::int64_t outputs;
  std::int64_t columns;
};

inline constexpr float kDirectEps = 1e-5F;

// What each row's norm multiplies it by, beside the columns' weights.
inline Numbers norm_factors(const Numbers& x, std::int64_t columns) {
  Numbers factors;
  const auto size = static_cast<std::size_t>(columns);
  for (std::size_t first = 0; first < x.size(); first += size) {
    double squares = 0.0;
    for (std::size_t c = 0; c < size; ++c) {
      squares += static_cast<double>(x[first + c]) * static_cast<double>(x[first + c]);
    }
    const double mean = squares / static_cast<double>(columns);
    factors.push_back(static_cast<float>(1.0 / std::sqrt(mean + double{kDirectEps})));
  }
  return factors;
}

// Rows of x, normed.
inline Numbers normed_rows(const Numbers& x, const Numbers& norm) {
  Numbers normed = x;
  const Numbers factors = norm_factors(x, std::ssize(norm));
  for (std::size_t i = 0; i < x.size(); ++i) {
    normed[i] *= factors[i / norm.size()] * norm[i % norm.size()];
  }
  return normed;
}

struct DirectSum {
  double value = 0.0;
  double allowed = 0.0;
};

inline DirectSum direct_sum(const float* x, const float* w, std::int64_t columns, double inputs) {
  DirectSum sum;
  double magnitude = 0.0;
  for (std::int64_t c = 0; c < columns; ++c) {
    const double term = static_cast<double>(x[c]) * static_cast<double>(w[c]);
    sum.value += term;
    magnitude += std::abs(term);
  }
  sum.allowed = (4e-6 + inputs) * magnitude + 1e-6 * std::abs(sum.value);
  return sum;
}

inline DirectSum gated_sum(const DirectSum& gate, const DirectSum& up) {
  const double silu = gate.value / (1.0 + std::exp(-gate.value));
  constexpr double kSteepest = 1.1;
  return {silu * up.value, kSteepest * gate.allowed * (std::abs(up.value) + up.allowed) +
                               std::abs(silu) * up.allowed + 1e-5 * std::abs(silu * up.value)};
}

inline std::vector<DirectSum> sums_of(const Numbers& x, const Numbers& w, const DirectShape& shape,
                                      double inputs) {
  std::vector<DirectSum> sums;
  const std::int64_t columns = shape.columns;
  const bool both = std::ssize(w) == 2 * shape.outputs * columns;
  for (std::int64_t r = 0; r < shape.rows; ++r) {
    const float* row = x.data() + r * columns;
    for (std::int64_t o = 0; o < shape.outputs; ++o) {
      const DirectSum sum = direct_sum(row, w.data() + o * columns, columns, inputs);
      const float* up = w.data() + (shape.outputs + o) * columns;
      sums.push_back(both ? gated_sum(sum, direct_sum(row, up, columns, inputs)) : sum);
    }
  }
  return sums;
}

// got: of `to`, whose rounding is `epsilon`; added to `old`, if there is any.
inline void expect_sums(const Numbers& got, const std::vector<DirectSum>& sums, const Numbers& old,
                        DType to, float epsilon) {
  ASSERT_EQ(got.size(), sums.size());
  const double rounding = to == DType::kF32 ? 0x1p-23 : static_cast<double>(epsilon);
  const double least = to == DType::kF16 ? 0x1p-25 : 0.0;  // half its smallest number
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double want = sums[i].value + (old.empty() ? 0.0 : static_cast<double>(old[i]));
    ASSERT_NEAR(got[i], want, sums[i].allowed + rounding * std::abs(want) + least)
        << "number " << i;
  }
}

}  // namespace hangar::cuda
