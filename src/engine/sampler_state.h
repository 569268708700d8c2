// SamplerState: what one choice's next draw depends on besides the logits.
//
// Promise: next() describes the draw of the next token by the request's parameters; accept() takes
// the
//   token. With a seed, draws depend on the seed, the choice and how many tokens were drawn before,
//   on nothing else: not on the batch, not on time, not on how many rows a step had.
// Errors: none. Threads: one at a time; what next() gave stays valid until accept().
// Method: the uniform of draw i is SplitMix64's finaliser over (key, i).
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "backend/sampling.h"
#include "engine/request.h"

namespace hangar {

class SamplerState {
 public:
  SamplerState(std::shared_ptr<const Request> request, std::int32_t choice);

  // `pending` >= 0: one token more has been drawn than accept() has been told of, by that SampleRow
  // of the step before.
  SampleRow next(std::int32_t logits_row, std::int32_t pending = -1) const;
  void accept(std::int32_t token);

 private:
  double uniform(std::int32_t draw) const;

  std::shared_ptr<const Request> request_;
  std::uint64_t key_;
  std::int32_t drawn_ = 0;
  // Kept only where a penalty needs them.
  std::vector<std::int32_t> seen_;
  std::unordered_set<std::int32_t> seen_set_;
  std::vector<TokenCount> counts_;
  std::unordered_map<std::int32_t, std::size_t> count_at_;
};

}  // namespace hangar
