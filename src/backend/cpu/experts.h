// Which experts a row goes to, and with which weights.
//
// Promise: as Backend::top_experts for one row of scores; ids and weights are k long, 1 <= k <=
//   scores. Scores that are not numbers give ids all the same, each once.
// Threads: may run for different rows at once.
#pragma once

#include <cstdint>
#include <span>

namespace hangar::cpu {

void top_experts_row(std::span<const float> scores, bool normalize, std::span<std::int32_t> ids,
                     std::span<float> weights);

}  // namespace hangar::cpu
