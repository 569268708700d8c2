// StepGraphs: decode steps recorded once for each size and replayed as one launch.
//
// Promise: run() does the work of `body` on the stream. The first time a size comes it simply calls
//   body (libraries load their kernels then, which cannot be recorded); the second time it records
//   what body launches, and from then on replays that. pad() fills a decode step up to one of a few
//   sizes, padded_rows() where most_rows allow it, with sequences of one token that write to the
//   spare block and attend to nothing: they have no blocks of their own (StepInputs).
// Errors: CudaError. An exception of body's while it is recorded passes through, and nothing is
//   kept.
// Threads: one.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <map>
#include <utility>

#include "base/function_ref.h"
#include "tensor/ragged_batch.h"

namespace hangar::cuda {

class StepGraphs {
 public:
  // Rows, and the bound of tokens of one sequence that kernels' grids were chosen by.
  using Size = std::pair<std::int32_t, std::int32_t>;

  explicit StepGraphs(cudaStream_t stream) : stream_(stream) {}
  ~StepGraphs();
  StepGraphs(const StepGraphs&) = delete;
  StepGraphs& operator=(const StepGraphs&) = delete;

  static Size pad(RaggedBatch& batch, std::int32_t most_rows, std::int32_t spare_block);
  static std::int32_t padded_rows(std::int32_t rows);
  // The least power of two, from 1,024 on, that is not below `tokens`.
  static std::int32_t padded_tokens(std::int32_t tokens);
  // Whether run() would launch a graph.
  bool has(Size size) const { return graphs_.contains(size); }
  void run(Size size, FunctionRef<void()> body);

 private:
  cudaStream_t stream_;
  std::map<Size, cudaGraphExec_t> graphs_;  // nullptr: has come once
};

}  // namespace hangar::cuda
