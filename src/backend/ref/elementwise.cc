#include <cmath>
#include <numbers>

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

namespace {

double gate_value(double x, GateFunction f) {
  switch (f) {
    case GateFunction::kSilu:
      return x / (1.0 + std::exp(-x));
    case GateFunction::kGeluTanh: {
      const double inner = std::sqrt(2.0 / std::numbers::pi) * (x + 0.044715 * x * x * x);
      // 1 + tanh(a) is 2 / (1 + e^-2a), without the cancellation where tanh nears -1.
      return x / (1.0 + std::exp(-2.0 * inner));
    }
    case GateFunction::kGelu:
      return 0.5 * x * std::erfc(-x / std::numbers::sqrt2);  // erfc(-z) is 1 + erf(z)
  }
  return 0.0;
}

}  // namespace

void gate_mul(Activation out, Activation gate, Activation up, GateFunction f) {
  for (std::int64_t r = 0; r < out.rows; ++r) {
    const auto to = out.row(r);
    const auto g = gate.row(r);
    const auto u = up.row(r);
    for (std::size_t c = 0; c < to.size(); ++c) {
      to[c] =
          static_cast<float>(gate_value(static_cast<double>(g[c]), f) * static_cast<double>(u[c]));
    }
  }
}

void scale(Activation x, float factor) {
  for (std::int64_t r = 0; r < x.rows; ++r) {
    for (float& value : x.row(r)) value *= factor;
  }
}

void softcap(Activation x, float cap) {
  for (std::int64_t r = 0; r < x.rows; ++r) {
    for (float& value : x.row(r)) {
      value = static_cast<float>(static_cast<double>(cap) *
                                 std::tanh(static_cast<double>(value) / static_cast<double>(cap)));
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
