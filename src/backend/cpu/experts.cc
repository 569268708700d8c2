#include "backend/cpu/experts.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace hangar::cpu {

// A few hundred scores a row, beside products of millions: plain loops will do.
void top_experts_row(std::span<const float> scores, bool normalize, std::span<std::int32_t> ids,
                     std::span<float> weights) {
  // `weights` holds the scores of the best so far, in order, until they are turned into weights.
  std::size_t found = 0;
  for (std::size_t e = 0; e < scores.size(); ++e) {
    std::size_t place = found;
    while (place > 0 && scores[e] > weights[place - 1]) --place;
    if (place == ids.size()) continue;
    if (found < ids.size()) ++found;
    for (std::size_t i = found - 1; i > place; --i) {
      ids[i] = ids[i - 1];
      weights[i] = weights[i - 1];
    }
    ids[place] = static_cast<std::int32_t>(e);
    weights[place] = scores[e];
  }
  const float best = weights[0];
  float total = 0.0F;
  for (const float score : normalize ? std::span<const float>(weights) : scores) {
    total += std::exp(score - best);
  }
  for (float& weight : weights) weight = std::exp(weight - best) / total;
}

}  // namespace hangar::cpu
