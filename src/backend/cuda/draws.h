// Draws: the samples of the steps that are under way, each of one or more of the sampler's rounds.
//
// Promise: start() queues a step's draws; finish() gives those of the oldest step that has not been
//   finished, in the order of its rows, and waits for them. tokens() lie on the card, by the row's
//   place in the step that was started last.
// Errors: make: as Sampler::make. CudaError.
// Threads: as Backend.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "backend/cuda/device.h"
#include "backend/cuda/sampling.h"
#include "backend/sampling.h"
#include "base/result.h"
#include "tensor/activation.h"

namespace hangar::cuda {

class Draws {
 public:
  // For logits of {logit_rows, vocabulary}.
  static Result<std::unique_ptr<Draws>> make(Device& device, std::int64_t vocabulary,
                                             std::int64_t logit_rows);

  // Whether they are no more, and of no other vocabulary, than it was made for.
  bool serves(Activation logits) const {
    return logits.columns == vocabulary_ && logits.rows <= logit_rows_;
  }
  void start(Activation logits, std::span<const SampleRow> rows);
  void finish(std::span<Sampled> out);
  const std::int32_t* tokens() const { return sampler_->tokens(); }

 private:
  struct Part {
    Sampler::Round round = 0;
    std::size_t first = 0;
    std::size_t count = 0;
  };
  struct Step {
    std::vector<Sampled> drawn;
    std::deque<Part> parts;  // not finished yet
  };

  Draws(std::unique_ptr<Sampler> sampler, std::int64_t vocabulary, std::int64_t logit_rows)
      : sampler_(std::move(sampler)), vocabulary_(vocabulary), logit_rows_(logit_rows) {}
  void finish_part(Step& step);
  std::size_t rounds_under_way() const;

  std::unique_ptr<Sampler> sampler_;
  std::int64_t vocabulary_;
  std::int64_t logit_rows_;
  std::deque<Step> steps_;
};

}  // namespace hangar::cuda
