#include <cmath>

#include "backend/ref/ops.h"

namespace hangar::ref {

void rope(Activation x, std::int32_t head_dim, std::span<const std::int32_t> positions,
          const RopeTable& table) {
  const auto pairs = static_cast<std::int64_t>(table.inverse_frequency.size());
  for (std::int64_t r = 0; r < x.rows; ++r) {
    const auto position = static_cast<float>(positions[static_cast<std::size_t>(r)]);
    for (std::int64_t head = 0; head < x.columns / head_dim; ++head) {
      float* values = x.row(r).data() + head * head_dim;
      for (std::int64_t i = 0; i < pairs; ++i) {
        // The angle is rounded to float before its sine is taken, as the models' training code did.
        const float angle = position * table.inverse_frequency[static_cast<std::size_t>(i)];
        const double cosine = std::cos(static_cast<double>(angle)) * table.magnitude;
        const double sine = std::sin(static_cast<double>(angle)) * table.magnitude;
        float& first = values[table.interleaved ? 2 * i : i];
        float& second = values[table.interleaved ? 2 * i + 1 : i + pairs];
        const double a = first;
        const double b = second;
        first = static_cast<float>(a * cosine - b * sine);
        second = static_cast<float>(a * sine + b * cosine);
      }
    }
  }
}

}  // namespace hangar::ref
