// Scheduler: who runs next, with how many tokens, in which KV blocks.
//
// Promise: plan() gives the next step: which sequences, which of their tokens, within step_tokens
//   rows and max_logit_rows logit rows; prefill goes in chunks, mixed with decode (decode first, so
//   that a long prompt never stalls the others' tokens). A step may be planned before the results
//   of the one before are known: a token that is being sampled counts as known, its id comes with
//   commit(). Every sequence added is in exactly one place (waiting or running) until remove().
//   Blocks held never pass the pool; a sequence that finds none preempts the newest one of the
//   lowest priority, which waits again, computed anew from its tokens. A request that could never
//   fit is the caller's to refuse: see blocks_for().
// Fairness: among waiting sequences of the highest priority, the tenant that has been served least
//   goes next (virtual token counter; Sheng et al., "Fairness in Serving Large Language Models",
//   OSDI 2024): prompt tokens to compute as a sequence is admitted, output tokens as they are
//   planned, weighted; a tenant that did not wait starts from the least counter of those that do.
//   Within a tenant: first come, first served. docs/scheduling.md has the bounds.
// Errors: none; ids that are not known are ignored.
// Threads: one. No clock (now_us is given, any steady origin), no backend.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/block_copy.h"
#include "kv/block_pool.h"
#include "sched/batching.h"

namespace hangar {

using SequenceId = std::uint64_t;

struct SchedulerOptions {
  BatchingOptions batching;          // its max_sequences: no more than a step's rows and logit rows
  std::int32_t step_tokens = 512;    // rows of a step
  std::int32_t max_logit_rows = 64;  // at least batching.max_sequences
  std::int32_t kv_blocks = 0;
  std::int32_t block_tokens = 16;
  bool prefix_cache = true;
  std::uint64_t prefix_secret = 0;  // of the process
  std::uint64_t prefix_salt = 0;    // model and KV type
  double prompt_weight = 1.0;
  double output_weight = 2.0;
};

struct SequenceSpec {
  SequenceId id = 0;
  std::vector<std::int32_t> prompt;  // at least one token
  std::int32_t max_tokens = 1;       // of output; at least 1
  bool prompt_logits = false;        // the logits of every prompt row are wanted: all is computed
  std::uint64_t prefix_salt = 0;     // of this sequence: adapter
  // This sequence has the same prompt: its blocks are shared once they are computed, and until then
  // it waits, if the other one still runs. It may begin no earlier than the other has.
  std::optional<SequenceId> forks_from;
  std::string tenant;
  std::int32_t priority = 0;  // higher first
  std::int64_t arrival_us = 0;
  std::int64_t deadline_us = 0;  // on plan()'s clock; 0: none
};

struct StepItem {
  SequenceId sequence = 0;
  std::int32_t first_token =
      0;  // index of the first token to compute; those before are in the cache
  std::int32_t tokens = 0;
  std::int32_t drafts = 0;         // of those, the last so many are guesses
  std::int32_t logit_rows = 0;     // logits wanted of the last so many
  bool samples = false;            // the rows after the last known token choose what follows
  bool first = false;              // the sequence's first step since it was added
  std::int32_t cached_tokens = 0;  // with first: found in the prefix cache (or shared by a fork)
};

struct StepPlan {
  std::vector<BlockCopy> copies;  // to make before the step
  std::vector<StepItem> items;
  std::int32_t rows = 0;
  bool empty() const { return items.empty(); }
};

struct SchedulerStats {
  std::int32_t waiting = 0;  // preempted ones count
  std::int32_t running = 0;
  std::uint64_t preemptions = 0;
  std::uint64_t prefix_queries_tokens = 0;  // prompt tokens looked up in the cache
  std::uint64_t prefix_hit_tokens = 0;
};

class Scheduler {
 public:
  explicit Scheduler(const SchedulerOptions& options);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // Blocks that a sequence of so many tokens takes at most; more than kv_blocks can never run.
  static std::int32_t blocks_for(std::int64_t tokens, std::int32_t block_tokens);

  void add(SequenceSpec spec);
  // The sequence has ended, for whatever reason: its blocks are let go. A step that is under way
  // may still write to them: whoever gets them next writes later.
  void remove(SequenceId id);
  // Guesses that may be computed behind the last known token in the next plan; the plan says how
  // many of them it took. Only where the sequence's last step has been committed.
  void propose(SequenceId id, std::span<const std::int32_t> drafts);
  StepPlan plan(std::int64_t now_us);
  // Adds to a plan that has not been started, under the same bounds, what waits and fits: what came
  // after plan(), or found no room in it that prune() has made.
  void extend(StepPlan& plan, std::int64_t now_us);
  // The step that held `item` is done: these tokens followed, in order (none where item.samples is
  // false). For drafts: the accepted ones and the one after; at least one.
  void commit(const StepItem& item, std::span<const std::int32_t> sampled);
  // Takes items of removed sequences out of the last plan, which has not been started. (It may have
  // been planned while the one before was under way, but is started before the next one is planned:
  // so no plan preempts what another has promised.)
  void prune(StepPlan& plan) const;

  // Prompt and output tokens known so far. For what plan() gave and has not been committed, the id
  // of a sampled token is not in it yet.
  std::span<const std::int32_t> tokens(SequenceId id) const;
  std::span<const BlockId> blocks(SequenceId id) const;
  // Sequences whose deadline is not after now_us: the caller ends and removes them.
  std::vector<SequenceId> expired(std::int64_t now_us) const;
  // In how many microseconds plan() may give something although it gave nothing and nothing else
  // happens (a batch being gathered, a deadline); nullopt: never.
  std::optional<std::int64_t> next_change_us(std::int64_t now_us) const;

  bool idle() const;  // nothing waits, nothing runs
  SchedulerStats stats() const;
  const BlockPool& pool() const;
  void forget_prefixes();  // for tests and for swapped weights

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hangar
