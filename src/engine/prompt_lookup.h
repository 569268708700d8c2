// Prompt lookup: guesses what comes next from what stood behind the same words before.
//
// Promise: finds the last n tokens (n from longest_match down to shortest_match) earlier in the
// same
//   sequence, the latest place first, and gives what followed there: at most `count` tokens,
//   perhaps none. A guess costs rows of a step, never an answer's exactness: each is checked by the
//   model.
// Errors: none. Threads: pure function.
// Method: Saxena, "Prompt Lookup Decoding" (2023).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace hangar {

struct PromptLookupOptions {
  std::int32_t longest_match = 4;
  std::int32_t shortest_match = 2;
  std::int32_t window_tokens = 8192;  // how far back is searched
};

std::vector<std::int32_t> guess_next(std::span<const std::int32_t> tokens, std::int32_t count,
                                     const PromptLookupOptions& options = {});

}  // namespace hangar
