// RandomWeights: how the numbers of a model without weights are made (--load dummy).
//
// Promise: kUniform is even between -1e-3 and 1e-3, kNormal has mean 0 and deviation 0.02, about
//   what trained weights look like (they draw more power than small ones do). Norms are 1 and
//   biases 0 either way (Backend::random_weight).
// Errors: random_weights_of: nullopt for what names neither.
// Threads: values.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace hangar {

struct RandomWeights {
  enum class Kind : std::uint8_t { kUniform, kNormal };
  static constexpr float kUniformLimit = 1e-3F;
  static constexpr float kNormalDeviation = 0.02F;

  Kind kind = Kind::kUniform;
  std::uint64_t seed = 0;
};

constexpr std::string_view random_weights_name(RandomWeights::Kind kind) {
  return kind == RandomWeights::Kind::kNormal ? "normal" : "uniform";
}

constexpr std::optional<RandomWeights::Kind> random_weights_of(std::string_view name) {
  for (const RandomWeights::Kind kind :
       {RandomWeights::Kind::kUniform, RandomWeights::Kind::kNormal}) {
    if (random_weights_name(kind) == name) return kind;
  }
  return std::nullopt;
}

}  // namespace hangar
