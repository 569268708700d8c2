// DeviceBatch: one step's RaggedBatch in the card's memory.
//
// Promise: the arrays lie at the same addresses in every step, so that a captured graph reads the
//   step's own. In a step that is launched as a graph, rows and sequences are padded to the graph's
//   size: a padding sequence has one row, no context, and the cache's spare block for its table.
//   `plan_*` are bounds for choosing a kernel and its grid: in a graph they hold for every replay.
// Shapes: token_ids, positions, row_sequence [rows]; sequences [sequences]; block_tables as
//   RaggedBatch; first_block + (position / block_tokens) indexes it.
// Threads: a value.
#pragma once

#include <cstdint>

#include "tensor/ragged_batch.h"

namespace hangar::cuda {

struct DeviceBatch {
  const std::int32_t* token_ids = nullptr;
  const std::int32_t* positions = nullptr;
  const std::int32_t* row_sequence = nullptr;  // which sequence a row belongs to
  const RaggedBatch::Sequence* sequences = nullptr;
  const std::int32_t* block_tables = nullptr;
  std::int32_t rows = 0;
  std::int32_t sequence_count = 0;
  std::int32_t block_tokens = 16;
  std::int32_t plan_max_rows = 0;    // of one sequence: 1 in a pure decode step
  std::int32_t plan_max_tokens = 0;  // of one sequence: context and rows
};

}  // namespace hangar::cuda
