// SerialScheduler: who runs next when one sequence runs at a time, first come, first served.
//
// Promise: plan() names the sequence to run, which of its tokens to compute, and whether the last
// of
//   them is to be sampled from; prefill goes in chunks of at most `chunk_tokens`. The order is that
//   of add(), higher priority first. A sequence stays in front until remove().
// Errors: none; unknown ids are ignored.
// Threads: one. No clock, no backend: a pure function of its state.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

namespace hangar {

using SequenceId = std::uint64_t;

struct StepPlan {
  SequenceId sequence = 0;
  std::int32_t first_token = 0;  // index of the first token to compute
  std::int32_t tokens = 0;
  bool samples = false;  // the last token's logits choose the next token
};

class SerialScheduler {
 public:
  explicit SerialScheduler(std::int32_t chunk_tokens) : chunk_tokens_(chunk_tokens) {}

  // `known_tokens`: the prompt.
  void add(SequenceId id, std::int32_t known_tokens, std::int32_t priority);
  void remove(SequenceId id);
  std::optional<StepPlan> plan() const;
  // The planned tokens are in the cache; `sampled` more tokens are known now.
  void advance(const StepPlan& step, std::int32_t sampled);
  // Forgets what was generated: the next step computes from `computed` on with `known` tokens
  // known.
  void rewind(SequenceId id, std::int32_t known, std::int32_t computed);

  std::int32_t waiting() const;
  bool empty() const { return queue_.empty(); }

 private:
  struct Entry {
    SequenceId id;
    std::int32_t known;     // tokens whose ids are known
    std::int32_t computed;  // tokens whose keys and values are in the cache
    std::int32_t priority;
    bool started;
  };
  Entry* find(SequenceId id);

  std::int32_t chunk_tokens_;
  std::deque<Entry> queue_;
};

}  // namespace hangar
