// Sampling defaults: what a model's authors recommend, where a request says nothing.
//
// Promise: a parameter that the request gives is never changed. A model that asks for greedy
// answers
//   (do_sample false) gets temperature 0. Values outside the API's ranges are left out.
// Errors: none. Threads: pure functions.
#pragma once

#include "engine/request.h"
#include "formats/checkpoint.h"

namespace hangar {

// Which of the parameters that a model may have defaults for came with the request.
struct SamplingGiven {
  bool temperature = false;
  bool top_p = false;
  bool top_k = false;
  bool min_p = false;
  bool repetition_penalty = false;
};

void apply_generation_defaults(const GenerationDefaults& defaults, const SamplingGiven& given,
                               SamplingParams& sampling);

}  // namespace hangar
