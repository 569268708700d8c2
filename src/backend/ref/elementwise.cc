#include <cmath>

#include "backend/ref/ops.h"

namespace hangar::ref {

void rms_norm(Activation out, Activation x, const float* weight, float eps) {
  for (std::int64_t r = 0; r < x.rows; ++r) {
    const auto in = x.row(r);
    double sum = 0.0;
    for (const float value : in) sum += static_cast<double>(value) * static_cast<double>(value);
    const double mean = sum / static_cast<double>(x.columns);
    const double factor = 1.0 / std::sqrt(mean + static_cast<double>(eps));
    const auto to = out.row(r);
    for (std::size_t c = 0; c < in.size(); ++c) {
      to[c] = static_cast<float>(static_cast<double>(in[c]) * factor) * weight[c];
    }
  }
}

void add_bias(Activation y, const float* bias) {
  for (std::int64_t r = 0; r < y.rows; ++r) {
    const auto row = y.row(r);
    for (std::size_t c = 0; c < row.size(); ++c) row[c] += bias[c];
  }
}

void silu_mul(Activation out, Activation gate, Activation up) {
  for (std::int64_t r = 0; r < out.rows; ++r) {
    const auto to = out.row(r);
    const auto g = gate.row(r);
    const auto u = up.row(r);
    for (std::size_t c = 0; c < to.size(); ++c) {
      const double value = static_cast<double>(g[c]);
      to[c] = static_cast<float>(value / (1.0 + std::exp(-value)) * static_cast<double>(u[c]));
    }
  }
}

void add(Activation x, Activation y) {
  for (std::int64_t r = 0; r < x.rows; ++r) {
    const auto to = x.row(r);
    const auto from = y.row(r);
    for (std::size_t c = 0; c < to.size(); ++c) to[c] += from[c];
  }
}

}  // namespace hangar::ref
