// AttentionRunner: cuts a ragged batch into tiles of attention, shared out over the threads.
//
// Promise: as Backend::attention. Where there are fewer tiles than threads can use, as for one
//   sequence's decode, the chunks of the context are shared out instead; results are the same.
// Threads: one thread (the step thread) calls; the pool's threads work inside.
#pragma once

#include <vector>

#include "backend/cpu/attention.h"
#include "base/thread_pool.h"
#include "tensor/activation.h"

namespace hangar::cpu {

class AttentionRunner {
 public:
  void run(Activation out, Activation q, const CpuKvCache& cache, std::int32_t layer,
           const RaggedBatch& batch, const AttentionShape& shape, ThreadPool& pool);

 private:
  void run_whole(std::int64_t most_queries, ThreadPool& pool);
  bool run_split(std::int64_t most_queries, std::int64_t chunks, ThreadPool& pool);
  float* scratch(int worker) const { return scratch_.as<float>() + worker * scratch_stride_; }

  std::vector<AttentionTile> tiles_;
  // Where each tile's chunks begin in the list of all chunks; one more entry than tiles.
  std::vector<std::int64_t> chunk_starts_;
  HostMemory scratch_;
  std::int64_t scratch_stride_ = 0;
  HostMemory partials_;
};

}  // namespace hangar::cpu
