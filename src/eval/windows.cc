#include "eval/windows.h"

#include <algorithm>

namespace hangar {

Result<std::vector<EvalWindow>> half_windows(std::int64_t text_tokens, std::int32_t context) {
  const std::int32_t first_scored = context / 2 + 1;
  if (context < 3) {
    return make_error(ErrorCode::kInvalidArgument,
                      "a context of {} tokens has no token after its middle; at least 3", context);
  }
  if (text_tokens < context) {
    return make_error(ErrorCode::kInvalidArgument,
                      "the text has {} tokens; a window takes {}: give a longer text or a smaller "
                      "context",
                      text_tokens, context);
  }
  std::vector<EvalWindow> windows;
  for (std::int64_t begin = 0; begin + context <= text_tokens; begin += context) {
    windows.push_back({begin, context, first_scored, 1.0});
  }
  return windows;
}

Result<std::vector<EvalWindow>> strided_windows(std::int64_t text_tokens, std::int32_t context,
                                                std::int32_t stride) {
  if (context < 2) {
    return make_error(ErrorCode::kInvalidArgument,
                      "a context of {} tokens predicts nothing; at least 2", context);
  }
  if (stride < 1 || stride > context) {
    return make_error(ErrorCode::kInvalidArgument,
                      "a stride of {} tokens: must be from 1 to the context's {}", stride, context);
  }
  if (text_tokens < 2) {
    return make_error(ErrorCode::kInvalidArgument,
                      "the text has {} tokens; at least 2 are needed, one to predict from and one "
                      "to predict",
                      text_tokens);
  }
  std::vector<EvalWindow> windows;
  std::int64_t scored_end = 0;
  for (std::int64_t begin = 0; scored_end < text_tokens; begin += stride) {
    const std::int64_t end = std::min(begin + context, text_tokens);
    const auto tokens = static_cast<std::int32_t>(end - begin);
    const auto fresh = static_cast<std::int32_t>(end - scored_end);
    scored_end = end;
    EvalWindow window{begin, tokens, std::max(1, tokens - fresh), 1.0};
    window.weight = static_cast<double>(fresh - 1) / static_cast<double>(window.scored());
    // Counted no times: not computed.
    if (fresh > 1) windows.push_back(window);
  }
  return windows;
}

}  // namespace hangar
