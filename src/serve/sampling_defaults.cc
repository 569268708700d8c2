#include "serve/sampling_defaults.h"

namespace hangar {
namespace {

template <typename T>
void take(const std::optional<T>& value, bool given, T least, T most, T& into) {
  if (value && !given && *value >= least && *value <= most) into = *value;
}

}  // namespace

void apply_generation_defaults(const GenerationDefaults& defaults, const SamplingGiven& given,
                               SamplingParams& sampling) {
  constexpr float kTiny = 1e-6F;
  take(defaults.temperature, given.temperature, 0.0F, 2.0F, sampling.temperature);
  if (defaults.sample == false && !given.temperature) sampling.temperature = 0.0F;
  take(defaults.top_p, given.top_p, kTiny, 1.0F, sampling.top_p);
  take(defaults.top_k, given.top_k, 0, 1 << 24, sampling.top_k);
  take(defaults.min_p, given.min_p, 0.0F, 1.0F, sampling.min_p);
  take(defaults.repetition_penalty, given.repetition_penalty, 0.01F, 10.0F,
       sampling.repetition_penalty);
}

}  // namespace hangar
