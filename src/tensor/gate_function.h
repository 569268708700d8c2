// GateFunction: what a gated MLP does to its gate before it multiplies.
//
// Promise: kSilu is x / (1 + exp(-x)); kGelu is x/2 (1 + erf(x / sqrt 2)); kGeluTanh its usual
//   approximation, x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).
// Source: Hendrycks and Gimpel, "Gaussian error linear units" (2016).
// Threads: values.
#pragma once

#include <cstdint>

namespace hangar {

enum class GateFunction : std::uint8_t { kSilu, kGeluTanh, kGelu };

}  // namespace hangar
