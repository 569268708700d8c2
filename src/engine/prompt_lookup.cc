#include "engine/prompt_lookup.h"

#include <cstddef>

namespace hangar {

std::vector<std::int32_t> guess_next(std::span<const std::int32_t> tokens, std::int32_t count,
                                     const PromptLookupOptions& options) {
  const auto window = static_cast<std::size_t>(options.window_tokens);
  if (tokens.size() > window) tokens = tokens.last(window);
  if (count <= 0) return {};
  // One walk back: at each place the length of the match that ends there, the longest one wins, and
  // of equals the latest, which is met first.
  const std::size_t last = tokens.size();
  std::size_t best_length = 0;
  std::size_t best_end = 0;  // index behind the match
  const auto longest = static_cast<std::size_t>(options.longest_match);
  for (std::size_t end = last; end-- > 1;) {
    std::size_t length = 0;
    while (length < longest && length < end &&
           tokens[end - 1 - length] == tokens[last - 1 - length]) {
      ++length;
    }
    if (length > best_length) {
      best_length = length;
      best_end = end;
      if (length == longest) break;
    }
  }
  if (best_length < static_cast<std::size_t>(options.shortest_match)) return {};
  std::vector<std::int32_t> guess;
  const std::size_t period = last - best_end;
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    guess.push_back(i < period ? tokens[best_end + i] : guess[i - period]);
  }
  return guess;
}

}  // namespace hangar
