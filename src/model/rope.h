// Rotary tables from a model's RopeConfig.
//
// Promise: the frequencies and the magnitude that transformers computes for the same settings:
//   theta_i = base^(-2i/dim), then none, linear, llama3, yarn or longrope scaling, then the file's
//   divisors. `context_tokens`, what sequences may grow to, chooses longrope's divisors.
// Method: RoFormer (Su et al. 2021); YaRN (Peng et al. 2023); Llama 3.1's piecewise scaling;
//   LongRoPE (Ding et al. 2024).
// Errors: none. Threads: any.
#pragma once

#include <cstdint>

#include "backend/backend.h"
#include "formats/model_config.h"

namespace hangar {

RopeTable make_rope_table(const RopeConfig& rope, std::int32_t context_tokens);

}  // namespace hangar
