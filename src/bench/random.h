// Random: the one source of chance of a benchmark, the same on every machine for the same seed.
//
// Promise: the engine is std::mt19937_64, whose numbers the standard fixes; the distributions are
//   written here because the standard library's differ between implementations.
// Errors: none; below(0) gives 0.
// Threads: one at a time.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>

namespace hangar::bench {

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  std::uint64_t below(std::uint64_t count) { return count == 0 ? 0 : engine_() % count; }
  // [0, 1)
  double uniform() { return static_cast<double>(engine_() >> 11U) * 0x1.0p-53; }
  // Mean 1.
  double exponential() { return -std::log1p(-uniform()); }
  // Mean 0, standard deviation 1 (Box and Muller).
  double normal() {
    const double radius = std::sqrt(2.0 * exponential());
    return radius * std::cos(2.0 * std::numbers::pi * uniform());
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace hangar::bench
