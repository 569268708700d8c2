#include "bench/calibration.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>
#include <vector>

namespace hangar::bench {
namespace {

using Words = std::vector<std::string>;

std::string joined(std::span<const std::string> words) {
  return fmt::format("{}", fmt::join(words, " "));
}

std::int64_t size_of(std::span<const std::string> words) {
  return static_cast<std::int64_t>(words.size());
}

// Finds the words of one token by halving lists whose count says that some are not. The text begins
// with a word of its own, so that all others stand after a space.
class SingleTokenSearch {
 public:
  SingleTokenSearch(const TokenCounter& count, std::string first)
      : count_(count), first_(std::move(first)) {}

  // false: texts cannot be tokenized here.
  Result<bool> begin() {
    HANGAR_TRY(const auto base, count_(first_));
    base_ = base.value_or(0);
    return base.has_value();
  }

  Status keep_single(std::span<const std::string> words, Words& kept) {
    if (words.empty()) return {};
    HANGAR_TRY(const auto counted, count_(first_ + " " + joined(words)));
    if (counted && *counted - base_ == size_of(words)) {
      kept.insert(kept.end(), words.begin(), words.end());
      return {};
    }
    if (words.size() == 1) return {};
    HANGAR_CHECK_OK(keep_single(words.first(words.size() / 2), kept));
    return keep_single(words.subspan(words.size() / 2), kept);
  }

 private:
  const TokenCounter& count_;
  std::string first_;
  std::int64_t base_ = 0;
};

Result<WordCost> by_tokenizing(const Words& words, Words kept, const CalibrationSources& sources) {
  constexpr std::size_t kProbeWords = 16;
  WordCost cost;
  cost.words = std::move(kept);
  cost.method =
      fmt::format("tokenized: {} of {} words are one token", cost.words.size(), words.size());
  const std::span<const std::string> all = cost.words;
  const auto probe = all.first(std::min(kProbeWords, all.size()));
  HANGAR_TRY(const auto usage, sources.prompt_usage(joined(probe)));
  if (usage) {
    cost.overhead_tokens =
        static_cast<std::int32_t>(std::max<std::int64_t>(0, *usage - size_of(probe)));
    cost.method += fmt::format(", a prompt's frame {}", cost.overhead_tokens);
  }
  return cost;
}

// Two requests: their difference is what the second half of the words costs.
Result<WordCost> by_usage(Words words, const CalibrationSources& sources) {
  WordCost cost;
  const std::span<const std::string> all = words;
  const auto half = all.first(all.size() / 2);
  HANGAR_TRY(const auto few, sources.prompt_usage(joined(half)));
  HANGAR_TRY(const auto many, sources.prompt_usage(joined(all)));
  if (few && many && *many > *few) {
    cost.tokens_per_word =
        static_cast<double>(*many - *few) / static_cast<double>(all.size() - half.size());
    const double frame =
        static_cast<double>(*few) - cost.tokens_per_word * static_cast<double>(half.size());
    cost.overhead_tokens = static_cast<std::int32_t>(std::max(0.0, std::round(frame)));
    cost.method = fmt::format("usage.prompt_tokens: {:.3f} tokens a word, a prompt's frame {}",
                              cost.tokens_per_word, cost.overhead_tokens);
  } else {
    cost.method = "assumed: one token a word (neither /tokenize nor usage)";
  }
  cost.words = std::move(words);
  return cost;
}

}  // namespace

Result<WordCost> calibrate_words(std::span<const std::string_view> words,
                                 const CalibrationSources& sources) {
  Words all(words.begin(), words.end());
  SingleTokenSearch search(sources.tokenize, all.front());
  HANGAR_TRY(const bool tokenizes, search.begin());
  if (tokenizes) {
    Words kept;
    HANGAR_CHECK_OK(search.keep_single(all, kept));
    // Prompts of fewer words than this would repeat themselves too soon.
    constexpr std::size_t kFewest = 16;
    if (kept.size() >= std::min(kFewest, all.size())) {
      return by_tokenizing(all, std::move(kept), sources);
    }
  }
  return by_usage(std::move(all), sources);
}

}  // namespace hangar::bench
