#include "model/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace hangar {
namespace {

// Llama 3.1: short wavelengths stay, long ones are divided by factor, a ramp lies between.
double llama3_frequency(const RopeConfig& rope, double frequency) {
  const double original = rope.original_context_tokens;
  const double wavelength = 2.0 * std::numbers::pi / frequency;
  const double low = rope.low_frequency_factor;
  const double high = rope.high_frequency_factor;
  if (wavelength < original / high) return frequency;
  if (wavelength > original / low) return frequency / rope.factor;
  const double smooth = (original / wavelength - low) / (high - low);
  return (1.0 - smooth) * frequency / rope.factor + smooth * frequency;
}

// YaRN: the pair (as a real number) that turns `rotations` times over the original context.
double yarn_correction_pair(const RopeConfig& rope, double rotations) {
  const double turns = rope.original_context_tokens / (rotations * 2.0 * std::numbers::pi);
  return rope.dim * std::log(turns) / (2.0 * std::log(static_cast<double>(rope.base)));
}

double yarn_frequency(const RopeConfig& rope, std::size_t pair, double frequency) {
  const double low = std::max(0.0, std::floor(yarn_correction_pair(rope, rope.beta_fast)));
  double high = std::min(rope.dim - 1.0, std::ceil(yarn_correction_pair(rope, rope.beta_slow)));
  if (low == high) high += 0.001;
  const double ramp = std::clamp((static_cast<double>(pair) - low) / (high - low), 0.0, 1.0);
  return frequency * (1.0 - ramp) + frequency / rope.factor * ramp;
}

float magnitude(const RopeConfig& rope) {
  const bool scaled =
      rope.scaling == RopeScalingKind::kYarn || rope.scaling == RopeScalingKind::kLongRope;
  if (!scaled) return 1.0F;
  if (rope.attention_factor > 0.0F) return rope.attention_factor;
  if (rope.factor <= 1.0F) return 1.0F;
  const double growth = std::log(rope.factor);
  if (rope.scaling == RopeScalingKind::kYarn) return static_cast<float>(0.1 * growth + 1.0);
  const double original = rope.original_context_tokens;
  return static_cast<float>(std::sqrt(1.0 + growth / std::log(original)));
}

// LongRoPE's list for contexts of this length.
const std::vector<float>& long_rope_divisors(const RopeConfig& rope, std::int32_t context_tokens) {
  return context_tokens > rope.original_context_tokens ? rope.long_divisors : rope.short_divisors;
}

}  // namespace

RopeTable make_rope_table(const RopeConfig& rope, std::int32_t context_tokens) {
  RopeTable table;
  table.interleaved = rope.interleaved;
  table.magnitude = magnitude(rope);
  const auto pairs = static_cast<std::size_t>(rope.dim / 2);
  table.inverse_frequency.resize(pairs);
  for (std::size_t i = 0; i < pairs; ++i) {
    double frequency =
        std::pow(static_cast<double>(rope.base), -2.0 * static_cast<double>(i) / rope.dim);
    switch (rope.scaling) {
      case RopeScalingKind::kNone:
        break;
      case RopeScalingKind::kLinear:
        frequency /= rope.factor;
        break;
      case RopeScalingKind::kLlama3:
        frequency = llama3_frequency(rope, frequency);
        break;
      case RopeScalingKind::kYarn:
        frequency = yarn_frequency(rope, i, frequency);
        break;
      case RopeScalingKind::kLongRope:
        frequency /= long_rope_divisors(rope, context_tokens)[i];
        break;
    }
    if (i < rope.frequency_divisors.size()) frequency /= rope.frequency_divisors[i];
    table.inverse_frequency[i] = static_cast<float>(frequency);
  }
  return table;
}

}  // namespace hangar
