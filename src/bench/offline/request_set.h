// A set of requests put on an Engine, all at once or so many at a time, and when its tokens came.
//
// Promise: prompts are random tokens, all different, the same for the same seed; answers are greedy
//   and go to their full length. Times are those at which the events came out of the engine.
//   `steady` is the part in which every request had its first token and none had ended: decode
//   alone; nullopt where there was no such time.
// Units: tokens; microseconds of steady_now_us().
// Errors: kCancelled where go_on() gave false; what submit refuses; kInternal with the engine's
//   words where a request failed. Nothing is left running either way.
// Threads: the calling thread submits and reads the events; nobody else may read them meanwhile.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"

namespace hangar::bench {

struct RequestSet {
  std::int32_t requests = 1;
  std::int32_t input_tokens = 128;
  std::int32_t output_tokens = 128;
  // A closed loop: so many under way, the next put on as soon as one has ended; 0: all at once.
  std::int32_t at_once = 0;
  std::uint64_t seed = 0;
};

// Between two moments: what came, and what the engine counted.
struct Span {
  double seconds = 0.0;
  std::int64_t tokens = 0;  // output
  std::uint64_t steps = 0;
  std::uint64_t rows = 0;
  double busy_s = 0.0;                  // EngineStats
  double host_s = 0.0;                  // EngineStats
  std::optional<double> device_s = {};  // EngineStats; nullopt: the backend cannot tell
};

struct RequestSetTimes {
  Span all;  // from the first submit to the last end
  std::optional<Span> steady;
  std::vector<double> first_token_s;  // of each request, from the first submit
};

Result<RequestSetTimes> run_request_set(Engine& engine, const RequestSet& set,
                                        const std::function<bool()>& go_on = {});

}  // namespace hangar::bench
