#include "backend/cuda/step_graphs.h"

#include <algorithm>

#include "backend/cuda/launch.h"

namespace hangar::cuda {
namespace {

cudaGraphExec_t record(cudaStream_t stream, FunctionRef<void()> body) {
  HANGAR_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  cudaGraph_t graph = nullptr;
  try {
    body();
  } catch (...) {
    (void)cudaStreamEndCapture(stream, &graph);
    if (graph != nullptr) (void)cudaGraphDestroy(graph);
    (void)cudaGetLastError();
    throw;
  }
  HANGAR_CUDA(cudaStreamEndCapture(stream, &graph));
  cudaGraphExec_t made = nullptr;
  const cudaError_t code = cudaGraphInstantiate(&made, graph, 0);
  (void)cudaGraphDestroy(graph);
  check(code, "cudaGraphInstantiate");
  return made;
}

}  // namespace

StepGraphs::~StepGraphs() {
  for (const auto& [size, graph] : graphs_) {
    if (graph != nullptr) (void)cudaGraphExecDestroy(graph);
  }
}

StepGraphs::Size StepGraphs::pad(RaggedBatch& batch, std::int32_t most_rows,
                                 std::int32_t spare_block) {
  std::int32_t tokens = 1;
  for (const auto& sequence : batch.sequences) {
    tokens = std::max(tokens, sequence.context_tokens + 1);
  }
  const std::int32_t rows = std::max(batch.rows(), std::min(padded_rows(batch.rows()), most_rows));
  for (std::int32_t row = batch.rows(); row < rows; ++row) {
    batch.sequences.push_back({row, 1, 0, static_cast<std::int32_t>(batch.block_tables.size()), 0});
    batch.block_tables.push_back(spare_block);
    batch.token_ids.push_back(0);
    batch.positions.push_back(0);
    batch.logit_rows.push_back(row);
  }
  return {rows, padded_tokens(tokens)};
}

std::int32_t StepGraphs::padded_rows(std::int32_t rows) {
  const auto up = [&](std::int32_t to) { return (rows + to - 1) / to * to; };
  if (rows <= 4) return rows;
  if (rows <= 8) return up(2);
  if (rows <= 32) return up(4);
  if (rows <= 128) return up(8);
  return up(16);
}

std::int32_t StepGraphs::padded_tokens(std::int32_t tokens) {
  std::int32_t padded = 1024;
  while (padded < tokens && padded < (1 << 30)) padded *= 2;
  return padded;
}

void StepGraphs::run(Size size, FunctionRef<void()> body) {
  const auto [entry, first] = graphs_.try_emplace(size, nullptr);
  if (first) {
    body();
    return;
  }
  if (entry->second == nullptr) entry->second = record(stream_, body);
  HANGAR_CUDA(cudaGraphLaunch(entry->second, stream_));
}

}  // namespace hangar::cuda
