// Step: one planned step, laid out for the model, and what came of it.
//
// Promise: rows and sampled stand side by side; an item's draws are [first_draw, first_draw +
// draws)
//   of them: first the prompt tokens whose log-probabilities are wanted, then the next token, then
//   one for each guess.
// Threads: made and read by the plan thread, run by the step thread; never both at once.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "backend/sampling.h"
#include "engine/sampler_state.h"
#include "sched/scheduler.h"
#include "tensor/ragged_batch.h"

namespace hangar {

struct Step {
  struct Draws {
    std::int32_t first = 0;
    std::int32_t prompt = 0;  // so many score prompt tokens
    std::int32_t next = 0;    // so many follow: the next token, and one more for each guess
  };

  StepPlan plan;
  RaggedBatch batch;
  std::vector<Draws> draws;  // by item
  std::vector<SampleRow> rows;
  std::deque<SamplerState> ahead;  // samplers as they are if guesses turn out right
  std::vector<Sampled> sampled;
  std::int64_t took_us = 0;
  std::optional<std::int64_t> device_us;  // of that, what the device computed; none: not known
  std::string error;                      // not empty: the step failed
};

}  // namespace hangar
