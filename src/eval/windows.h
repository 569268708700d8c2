// How a text is cut into windows of which some tokens are scored: two usual ways.
//
// Promise: every window is whole in the text's tokens; its tokens [first_scored, tokens) are
// scored,
//   each given all those before it in the window.
// Methods: half_windows is how llama.cpp's perplexity tool counts: windows side by side, of each
// the
//   tokens after its middle; a tail that fills no window is dropped. strided_windows is the guide
//   "Perplexity of fixed-length models" of Hugging Face's transformers: each window starts `stride`
//   tokens after the last one and scores what is new in it. The guide takes the mean loss of a
//   window's n new tokens and counts it n - 1 times (right for the first window, where the first
//   token cannot be predicted); the weights say so.
// Units: tokens.
// Errors: kInvalidArgument: the text is too short, with how many tokens are needed; a context or
//   stride that scores nothing.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"

namespace hangar {

struct EvalWindow {
  std::int64_t begin = 0;  // in the text's tokens
  std::int32_t tokens = 0;
  std::int32_t first_scored = 1;
  double weight = 1.0;  // of each scored token in the mean

  std::int32_t scored() const { return tokens - first_scored; }
};

Result<std::vector<EvalWindow>> half_windows(std::int64_t text_tokens, std::int32_t context);
Result<std::vector<EvalWindow>> strided_windows(std::int64_t text_tokens, std::int32_t context,
                                                std::int32_t stride);

}  // namespace hangar
