#include <algorithm>
#include <cmath>
#include <limits>

#include "backend/ref/ops.h"
#include "tensor/float16.h"
#include "tensor/float8.h"

namespace hangar::ref {
namespace {

// NaN of a row that holds what is not finite.
float largest_magnitude(std::span<const float> row) {
  float largest = 0.0F;
  for (const float x : row) {
    if (!std::isfinite(x)) return std::numeric_limits<float>::quiet_NaN();
    largest = std::max(largest, std::abs(x));
  }
  return largest;
}

void round_to_int8(std::span<const float> from, float* to) {
  const float scale = largest_magnitude(from) / 127.0F;
  if (std::isnan(scale)) {
    std::fill_n(to, from.size(), scale);
    return;
  }
  for (std::size_t i = 0; i < from.size(); ++i) {
    float integer = 0.0F;
    if (scale > 0.0F) integer = std::clamp(std::nearbyint(from[i] / scale), -127.0F, 127.0F);
    to[i] = scale * integer;
  }
}

// By the same roundings as on a card.
void round_to_fp8(std::span<const float> from, float* to) {
  const float largest = largest_magnitude(from);
  if (std::isnan(largest)) {
    std::fill_n(to, from.size(), largest);
    return;
  }
  const float scale = std::max(largest / kFloat8E4m3Largest, kFp8LeastScale);
  const float inverse = 1.0F / scale;
  for (std::size_t i = 0; i < from.size(); ++i) {
    to[i] = scale * float8_e4m3_to_float(float_to_float8_e4m3(from[i] * inverse));
  }
}

}  // namespace

void round_kv(KvType type, std::span<const float> from, float* to) {
  switch (type) {
    case KvType::kF32:
      std::ranges::copy(from, to);
      return;
    case KvType::kF16:
      std::ranges::transform(from, to, [](float x) { return half_to_float(float_to_half(x)); });
      return;
    case KvType::kBF16:
      std::ranges::transform(from, to,
                             [](float x) { return bfloat16_to_float(float_to_bfloat16(x)); });
      return;
    case KvType::kInt8:
      round_to_int8(from, to);
      return;
    case KvType::kFp8:
      round_to_fp8(from, to);
      return;
  }
}

}  // namespace hangar::ref
