#include "engine/prompt_lookup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace hangar {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::int32_t> guess(const std::vector<std::int32_t>& tokens, std::int32_t count,
                                const PromptLookupOptions& options = {}) {
  return guess_next(tokens, count, options);
}

TEST(PromptLookup, GivesWhatFollowedTheSameWords) {
  EXPECT_THAT(guess({1, 2, 3, 4, 5, 9, 1, 2, 3}, 3), ElementsAre(4, 5, 9));
  EXPECT_THAT(guess({1, 2, 3, 4, 5, 9, 1, 2, 3}, 2), ElementsAre(4, 5));
}

TEST(PromptLookup, TheLongestMatchWinsThenTheLatest) {
  EXPECT_THAT(guess({7, 1, 2, 50, 8, 1, 2, 60, 7, 1, 2}, 1), ElementsAre(50));
  EXPECT_THAT(guess({1, 2, 50, 1, 2, 60, 9, 1, 2}, 1), ElementsAre(60));
}

TEST(PromptLookup, ARepetitionIsGuessedOn) {
  EXPECT_THAT(guess({5, 5, 5, 5}, 4), ElementsAre(5, 5, 5, 5));
  EXPECT_THAT(guess({1, 2, 1, 2}, 3), ElementsAre(1, 2, 1));
}

TEST(PromptLookup, NothingWhereNothingRepeats) {
  EXPECT_THAT(guess({1, 2, 3, 4}, 4), IsEmpty());
  EXPECT_THAT(guess({1, 9, 3, 9}, 4), IsEmpty());  // one token alike is too little
  EXPECT_THAT(guess({}, 4), IsEmpty());
  EXPECT_THAT(guess({1, 2, 1, 2}, 0), IsEmpty());
  PromptLookupOptions near;
  near.window_tokens = 4;
  EXPECT_THAT(guess({1, 2, 3, 8, 8, 1, 2}, 2, near), IsEmpty());
}

}  // namespace
}  // namespace hangar
