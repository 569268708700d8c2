// Sequence: one choice of a running request: its sampler, its guesses and what it has told so far.
//
// Promise: turns what was sampled into events by the request's rules: stop tokens end a choice and
// are
//   not emitted, max_tokens ends it, ignore_eos is honoured. Its tokens and blocks are the
//   scheduler's.
// Errors: none. Threads: one (the plan thread); the step under way may read the sampler.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "backend/sampling.h"
#include "engine/request.h"
#include "engine/sampler_state.h"
#include "sched/scheduler.h"

namespace hangar {

struct Outcome {
  bool finished = false;
  FinishReason reason = FinishReason::kStop;
  std::int32_t stop_token = -1;
};

class Sequence {
 public:
  Sequence(SequenceId id, std::shared_ptr<const Request> request, std::int32_t choice)
      : id_(id), request_(std::move(request)), choice_(choice), sampler_(request_, choice) {}

  SequenceId id() const { return id_; }
  const Request& request() const { return *request_; }
  std::int32_t choice() const { return choice_; }
  const SamplerState& sampler() const { return sampler_; }
  std::int32_t generated() const { return generated_; }

  // Guesses for the next step; the plan may take fewer.
  std::vector<std::int32_t> drafts;
  // Prompt tokens whose log-probabilities have been told (a preempted sequence computes them anew).
  std::int32_t prompt_told = 0;

  Event event(EventKind kind) const;
  // The kPrompt event of prompt token `index`; sampled: null for the first token.
  void tell_prompt(std::int32_t index, Sampled* sampled, std::vector<Event>& out);
  // Takes the next token and appends its kToken event unless it ends the choice as a stop token.
  Outcome accept(Sampled sampled, std::vector<Event>& out);
  void tell_end(FinishReason reason, std::int32_t stop_token, std::vector<Event>& out);

 private:
  SequenceId id_;
  std::shared_ptr<const Request> request_;
  std::int32_t choice_;
  SamplerState sampler_;
  std::int32_t generated_ = 0;
};

}  // namespace hangar
