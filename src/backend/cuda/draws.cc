#include "backend/cuda/draws.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace hangar::cuda {

Result<std::unique_ptr<Draws>> Draws::make(Device& device, std::int64_t vocabulary,
                                           std::int64_t logit_rows) {
  SamplerLimits limits;
  limits.vocabulary = static_cast<std::int32_t>(vocabulary);
  limits.rows = static_cast<std::int32_t>(std::clamp<std::int64_t>(logit_rows, 1, 1024));
  // A row of logits may be asked for more than once: the prompt's scores and the next token.
  limits.step_rows = static_cast<std::int32_t>(std::max<std::int64_t>(2 * logit_rows, 64));
  HANGAR_TRY(std::unique_ptr<Sampler> sampler, Sampler::make(device, limits));
  return std::unique_ptr<Draws>(new Draws(std::move(sampler), vocabulary, logit_rows));
}

std::size_t Draws::rounds_under_way() const {
  std::size_t count = 0;
  for (const Step& step : steps_) count += step.parts.size();
  return count;
}

void Draws::finish_part(Step& step) {
  const Part part = step.parts.front();
  step.parts.pop_front();
  sampler_->finish(part.round, std::span(step.drawn).subspan(part.first, part.count));
}

void Draws::start(Activation logits, std::span<const SampleRow> rows) {
  Step& step = steps_.emplace_back();
  step.drawn.resize(rows.size());
  for (std::size_t first = 0; first < rows.size();) {
    while (rounds_under_way() >= Sampler::kRounds) {
      finish_part(*std::ranges::find_if(steps_, [](const Step& s) { return !s.parts.empty(); }));
    }
    const auto taken = static_cast<std::size_t>(sampler_->plan(rows, first));
    sampler_->upload();
    sampler_->launch(logits);
    step.parts.push_back({sampler_->mark(), first, taken});
    first += taken;
  }
}

void Draws::finish(std::span<Sampled> out) {
  assert(!steps_.empty() && out.size() == steps_.front().drawn.size());
  Step& step = steps_.front();
  while (!step.parts.empty()) finish_part(step);
  std::ranges::move(step.drawn, out.begin());
  steps_.pop_front();
}

}  // namespace hangar::cuda
