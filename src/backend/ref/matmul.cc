#include "backend/ref/ops.h"

namespace hangar::ref {
namespace {

// In double. Four sums, as one chain of additions would make tests of whole models wait.
double dot(const float* a, const float* b, std::int64_t n) {
  double sums[4] = {};
  std::int64_t i = 0;
  for (; i + 4 <= n; i += 4) {
    for (std::int64_t j = 0; j < 4; ++j) {
      sums[j] += static_cast<double>(a[i + j]) * static_cast<double>(b[i + j]);
    }
  }
  for (; i < n; ++i) sums[0] += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sums[0] + sums[1] + sums[2] + sums[3];
}

}  // namespace

void matmul(Activation y, Activation x, const float* weight) {
  // Outputs outside: a row of the weight is read once for all rows of x.
  for (std::int64_t o = 0; o < y.columns; ++o) {
    const float* w = weight + o * x.columns;
    for (std::int64_t r = 0; r < y.rows; ++r) {
      y.row(r)[static_cast<std::size_t>(o)] =
          static_cast<float>(dot(w, x.row(r).data(), x.columns));
    }
  }
}

}  // namespace hangar::ref
