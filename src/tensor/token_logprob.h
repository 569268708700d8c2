// TokenLogprob: a token with its log-probability.
//
// Promise: a natural logarithm; minus infinity for what cannot come.
// Threads: values.
#pragma once

#include <cstdint>

namespace hangar {

struct TokenLogprob {
  std::int32_t token = 0;
  float logprob = 0.0F;
};

}  // namespace hangar
