// SequenceState: what the scheduler knows of one sequence.
//
// Promise: numbers only; whoever changes them keeps these: computed <= expected(); a waiting
//   sequence holds no blocks; in_flight counts its items of plans that have not been committed.
// Units: tokens, counted from the sequence's beginning.
// Threads: the scheduler's one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "kv/block_table.h"
#include "kv/prefix_hash.h"
#include "sched/fair_queue.h"
#include "sched/scheduler.h"

namespace hangar {

struct SequenceState {
  // kHeld: a fork whose parent's prompt has not been computed. kExpired: its deadline has passed
  // and it waits for remove().
  enum class Place : std::uint8_t { kHeld, kWaiting, kRunning, kExpired };

  explicit SequenceState(BlockPool& pool) : table(pool) {}

  // Tokens that there are: known ones, and those that steps under way will give.
  std::int32_t expected() const { return known() + pending; }
  std::int32_t known() const { return static_cast<std::int32_t>(tokens.size()); }
  std::int32_t remaining() const { return expected() - computed; }
  std::int32_t output_left() const { return prompt_tokens + max_tokens - expected(); }
  // Its last token has been planned: nothing is to be computed any more.
  bool finished() const { return output_left() <= 0; }
  bool runs() const { return place == Place::kRunning; }
  // May get rows in the next plan.
  bool ready() const { return runs() && !guesses_in_flight && !finished() && remaining() > 0; }
  // Tokens computed by plans before this one.
  std::int32_t computed_before(std::uint64_t plan) const {
    return planned_in == plan ? computed_earlier : computed;
  }
  bool waits_for_prompt_logits() const { return prompt_logits && logits_told < prompt_tokens; }

  SequenceId id = 0;
  std::vector<std::int32_t> tokens;  // prompt and output, as far as the ids are known
  std::int32_t prompt_tokens = 0;
  std::int32_t max_tokens = 1;
  bool prompt_logits = false;
  PrefixHash root;
  std::int32_t priority = 0;
  std::int64_t arrival_us = 0;
  std::int64_t deadline_us = 0;
  SequenceState* parent = nullptr;       // forked from, while that one is there
  std::vector<SequenceState*> children;  // forks that are there
  FairQueue* queue = nullptr;            // of its priority
  Tenant* tenant = nullptr;
  std::uint64_t serial = 0;  // order of add()
  std::uint64_t age = 0;     // order of first admission, from 1; 0: never admitted

  Place place = Place::kWaiting;
  bool member = false;   // of the batch that runs (policies with batches)
  bool started = false;  // it has been in a plan
  BlockTable table;
  std::int32_t computed = 0;   // keys and values that are there once all plans so far have run
  std::int32_t committed = 0;  // of those, the ones that are there for certain
  std::int32_t cached = 0;     // of those, found and not computed
  std::int32_t pending = 0;    // tokens that steps under way will give at least
  std::int32_t in_flight = 0;
  bool guesses_in_flight = false;
  std::vector<std::int32_t> guesses;  // proposed for the next plan
  std::int32_t charged = 0;           // prompt tokens its tenant has paid for, or got for nothing
  std::int32_t logits_told = 0;       // prompt rows whose logits have been planned

  std::uint64_t planned_in = 0;  // the last plan it was in, from 1
  std::int32_t computed_earlier = 0;

  // Its blocks did not fit when last looked at: not to be looked at again before this plan, or
  // before so many blocks are to be had.
  std::uint64_t look_again_in = 0;
  std::int32_t look_again_blocks = 0;
};

}  // namespace hangar
