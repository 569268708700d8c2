// SimulatedDevice: a model and its KV cache as arithmetic, to hold the scheduler to its word.
//
// Promise: each KV slot holds a hash of all tokens up to it, made from what the slot before it
// holds
//   and the token; the next token follows from the last slot. So a wrong block, a copy too late, a
//   block with two writers or a wrong order changes the tokens, and is told at once besides: run()
//   compares every slot that is attended to with what the tokens say.
// Errors: run: the text of the first breach; empty: none.
// Threads: one.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "sched/scheduler.h"

namespace hangar {

// The model: deterministic, and each next token depends on the whole prefix.
struct SimulatedModel {
  static constexpr std::int32_t kVocabulary = 7;
  static constexpr std::int32_t kEndToken = 0;
  static std::uint64_t begin(std::uint64_t salt);
  static std::uint64_t extend(std::uint64_t before, std::int32_t token);
  static std::int32_t next_token(std::uint64_t prefix);  // rarely kEndToken
  // What follows the prompt: to max_tokens or kEndToken, which is the last.
  static std::vector<std::int32_t> output(std::span<const std::int32_t> prompt, std::uint64_t salt,
                                          std::int32_t max_tokens);
};

class SimulatedDevice {
 public:
  struct Row {
    std::uint64_t salt = 0;
    StepItem item;
    std::vector<std::int32_t> tokens;  // all up to the item's end
    std::span<const BlockId> blocks;
  };

  SimulatedDevice(std::int32_t blocks, std::int32_t block_tokens);
  // next[i]: the tokens after the item's last known token and after each guess behind it.
  std::string run(std::span<const BlockCopy> copies, std::span<const Row> rows,
                  std::vector<std::vector<std::int32_t>>& next);

 private:
  std::uint64_t& slot(std::span<const BlockId> blocks, std::int32_t position);
  void copy(std::span<const BlockCopy> copies);
  std::string write(const Row& row);
  std::string attend(const Row& row, std::vector<std::int32_t>& next);

  std::int32_t block_tokens_;
  std::vector<std::uint64_t> slots_;
  std::unordered_map<BlockId, SequenceId> writers_;  // of the step that runs
};

}  // namespace hangar
