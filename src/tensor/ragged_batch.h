// RaggedBatch: one step's work: rows of many sequences, prefill and decode mixed, without padding.
//
// Promise: sequence s owns rows [first_row, first_row + rows); its row i is the token at position
//   context_tokens + i and attends to positions 0 .. context_tokens + i, whose keys and values lie
//   in the KV blocks named by its block table (position p is in slot p % block_tokens of block
//   block_tables[first_block + p / block_tokens]). Sequences' rows are in order and cover all rows.
// Units: tokens, rows, block indices. row = one token of one sequence in this step.
// Threads: a value; made by the engine, read by model/ and backend/.
#pragma once

#include <cstdint>
#include <vector>

namespace hangar {

struct RaggedBatch {
  struct Sequence {
    std::int32_t first_row = 0;
    std::int32_t rows = 0;
    std::int32_t context_tokens = 0;  // tokens whose keys and values are in the cache already
    std::int32_t first_block = 0;     // index into block_tables
    std::int32_t blocks = 0;          // entries there; enough for context_tokens + rows
  };

  // [rows]; where the backend runs ahead -1 - i is what SampleRow i of the step before drew
  std::vector<std::int32_t> token_ids;
  std::vector<std::int32_t> positions;  // [rows]
  std::vector<Sequence> sequences;
  std::vector<std::int32_t> block_tables;  // concatenated
  std::vector<std::int32_t> logit_rows;    // rows whose logits are wanted, ascending
  std::int32_t block_tokens = 16;

  std::int32_t rows() const { return static_cast<std::int32_t>(token_ids.size()); }
};

}  // namespace hangar
