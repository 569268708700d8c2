// AheadBackend: a backend of the host made to behave as one that runs ahead, for tests of engines.
//
// Promise: operations compute at once; the results of start_sample are kept back until
//   finish_sample. Tokens that a step names by the place of their draw (RaggedBatch::token_ids,
//   SampleRow::pending) are taken from the draws of the step before, and from nowhere else.
// Errors: std::logic_error where more than two steps are under way, or none is.
// Threads: as Backend.
#pragma once

#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "backend/timed/timed_backend.h"

namespace hangar::testing {

class AheadBackend : public TimedBackend {
 public:
  using TimedBackend::TimedBackend;

  bool runs_ahead() const override { return true; }
  void embed(Activation out, const Weight& table, std::span<const std::int32_t> ids) override;
  void start_sample(Activation logits, std::span<const SampleRow> rows) override;
  void finish_sample(std::span<Sampled> out) override;

 private:
  std::vector<std::int32_t> last_;  // tokens of the last start_sample
  std::deque<std::vector<Sampled>> kept_back_;
};

}  // namespace hangar::testing
