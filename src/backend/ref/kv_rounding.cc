#include <algorithm>
#include <cmath>
#include <limits>

#include "backend/ref/ops.h"
#include "tensor/float16.h"

namespace hangar::ref {
namespace {

void round_to_int8(std::span<const float> from, float* to) {
  float largest = 0.0F;
  bool finite = true;
  for (const float x : from) {
    finite = finite && std::isfinite(x);
    largest = std::max(largest, std::abs(x));
  }
  if (!finite) {
    std::fill_n(to, from.size(), std::numeric_limits<float>::quiet_NaN());
    return;
  }
  const float scale = largest / 127.0F;
  for (std::size_t i = 0; i < from.size(); ++i) {
    float integer = 0.0F;
    if (scale > 0.0F) integer = std::clamp(std::nearbyint(from[i] / scale), -127.0F, 127.0F);
    to[i] = scale * integer;
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
  }
}

}  // namespace hangar::ref
