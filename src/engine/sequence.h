// Sequence: one running request: its tokens, blocks, sampler and what it has told so far.
//
// Promise: turns picks into events by the request's rules: stop tokens end a choice and are not
//   emitted, max_tokens ends it, min_tokens and ignore_eos are honoured.
// Errors: none. Threads: one (the step thread).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/request.h"
#include "engine/sampler.h"
#include "kv/block_table.h"

namespace hangar {

class Sequence {
 public:
  struct Outcome {
    bool finished = false;
    FinishReason reason = FinishReason::kStop;
    std::int32_t stop_token = -1;
  };

  Sequence(Request request, BlockPool& pool, std::int32_t block_tokens);

  const Request& request() const { return request_; }
  BlockTable& blocks() { return blocks_; }
  Sampler& sampler() { return *sampler_; }
  std::span<const std::int32_t> tokens(std::int32_t first, std::int32_t count) const;
  bool prompt_reported() const { return prompt_reported_; }

  // Appends kPrompt events for prompt tokens whose log-probability these rows give: row i of logits
  // (token first + i) scores token first + i + 1. The first prompt token has none.
  void report_prompt(std::int32_t first, std::int32_t count, std::span<const float> logits,
                     std::size_t vocabulary, std::vector<Event>& out);
  // Takes the next token and appends its kToken event unless it ends the choice as a stop token.
  Outcome accept(const Pick& pick, std::vector<Event>& out);
  void end_choice(FinishReason reason, std::int32_t stop_token, std::vector<Event>& out);
  // Goes back to the prompt for the next choice; false when that was the last.
  bool next_choice();
  // kFinished, and kChoiceFinished for the choice under way when the request is cut off.
  void end_request(FinishReason reason, std::string error, std::vector<Event>& out);

 private:
  Event event(EventKind kind) const;

  Request request_;
  BlockTable blocks_;
  std::vector<std::int32_t> tokens_;  // prompt, then the current choice's output
  std::optional<Sampler> sampler_;
  std::int32_t choice_ = 0;
  bool choice_open_ = true;
  bool prompt_reported_ = false;
  std::int32_t generated_ = 0;  // of this choice
  Usage usage_;
};

}  // namespace hangar
