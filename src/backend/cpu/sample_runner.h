// SampleRunner: Backend::sample, its rows shared out over the threads.
//
// Promise: as Backend::sample. Rows that name the same row of logits are done by one thread, one
//   after the other, and each sees the logits as they came.
// Threads: one thread (the step thread) calls; the pool's threads work inside.
#pragma once

#include <span>
#include <vector>

#include "backend/cpu/row_sampler.h"
#include "base/thread_pool.h"
#include "tensor/activation.h"

namespace hangar::cpu {

class SampleRunner {
 public:
  void run(Activation logits, std::span<const SampleRow> rows, std::span<Sampled> out,
           ThreadPool& pool);

 private:
  std::vector<std::size_t> order_;    // of rows, by the row of logits
  std::vector<std::size_t> groups_;   // where in it each row of logits begins; and its end
  std::vector<RowSampler> samplers_;  // of the workers
};

}  // namespace hangar::cpu
