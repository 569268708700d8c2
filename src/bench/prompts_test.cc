#include "bench/prompts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace hangar::bench {
namespace {

using ::testing::HasSubstr;

WordCost some_words() {
  WordCost cost;
  for (char c = 'a'; c <= 'z'; ++c) cost.words.push_back(std::string(3, c));
  return cost;
}

std::int64_t count_words(const std::string& text) {
  return 1 + std::count(text.begin(), text.end(), ' ');
}

SyntheticOptions options_of(const char* prompt, std::int32_t shared = 0) {
  SyntheticOptions options;
  options.prompt_tokens = *LengthDistribution::parse(prompt);
  options.output_tokens = *LengthDistribution::parse("uniform:1-9");
  options.shared_prefix_tokens = shared;
  options.seed = 5;
  return options;
}

TEST(SyntheticPrompts, AreAsLongAsAskedForLessWhatTheTemplateAdds) {
  WordCost cost = some_words();
  cost.overhead_tokens = 30;
  SyntheticPrompts prompts(cost, options_of("fixed:100"));
  const BenchPrompt prompt = prompts.next();
  EXPECT_EQ(count_words(prompt.text), 70);
  EXPECT_EQ(prompt.prompt_tokens, 100);
  EXPECT_GE(prompt.max_tokens, 1);
  EXPECT_LE(prompt.max_tokens, 9);
}

TEST(SyntheticPrompts, FollowTheCostOfAWord) {
  WordCost cost = some_words();
  cost.tokens_per_word = 1.25;
  SyntheticPrompts prompts(cost, options_of("fixed:100"));
  EXPECT_EQ(count_words(prompts.next().text), 80);
}

TEST(SyntheticPrompts, NeverAreEmpty) {
  WordCost cost = some_words();
  cost.overhead_tokens = 50;
  SyntheticPrompts prompts(cost, options_of("fixed:10"));
  EXPECT_EQ(count_words(prompts.next().text), 1);
}

TEST(SyntheticPrompts, ShareTheirPrefixAndNothingElse) {
  SyntheticPrompts prompts(some_words(), options_of("fixed:20", 40));
  std::set<std::string> prefixes, rests;
  constexpr std::size_t kPrefixBytes = 40 * 4;  // forty words of three letters and a space
  for (int i = 0; i < 50; ++i) {
    const BenchPrompt prompt = prompts.next();
    ASSERT_EQ(count_words(prompt.text), 60);
    EXPECT_EQ(prompt.prompt_tokens, 60);
    prefixes.insert(prompt.text.substr(0, kPrefixBytes));
    rests.insert(prompt.text.substr(kPrefixBytes));
  }
  EXPECT_EQ(prefixes.size(), 1U);
  EXPECT_EQ(rests.size(), 50U);
}

TEST(SyntheticPrompts, TheSeedDecides) {
  SyntheticPrompts first(some_words(), options_of("fixed:20"));
  SyntheticPrompts second(some_words(), options_of("fixed:20"));
  SyntheticOptions other = options_of("fixed:20");
  other.seed = 6;
  SyntheticPrompts third(some_words(), other);
  const std::string text = first.next().text;
  EXPECT_EQ(text, second.next().text);
  EXPECT_NE(text, third.next().text);
}

TEST(PromptFile, HoldsPromptsAndMessages) {
  const auto prompts = parse_prompts(
      "{\"prompt\": \"One\"}\n\n"
      "{\"messages\": [{\"role\": \"user\", \"content\": \"Two\"}], \"max_tokens\": 7}\r\n",
      "list", LengthDistribution::fixed(33), 0);
  ASSERT_TRUE(prompts.has_value()) << prompts.error().message;
  ASSERT_EQ(prompts->size(), 2U);
  EXPECT_EQ((*prompts)[0].text, "One");
  EXPECT_EQ((*prompts)[0].max_tokens, 33);
  ASSERT_TRUE((*prompts)[1].messages.has_value());
  EXPECT_EQ((*prompts)[1].messages->at(0).at("content").as_string(), "Two");
  EXPECT_EQ((*prompts)[1].max_tokens, 7);
  ListedPrompts listed(*prompts);
  EXPECT_EQ(listed.next().text, "One");
  EXPECT_TRUE(listed.next().messages.has_value());
  EXPECT_EQ(listed.next().text, "One") << "from the start again";
}

TEST(PromptFile, NamesTheLineThatIsWrong) {
  const auto message_of = [](const char* text) {
    const auto prompts = parse_prompts(text, "list", LengthDistribution::fixed(1), 0);
    return prompts ? std::string("accepted") : prompts.error().message;
  };
  EXPECT_THAT(message_of("{\"prompt\": \"a\"}\n{\"prompt\": 3}"), HasSubstr("list: line 2"));
  EXPECT_THAT(message_of("[1]"), HasSubstr("JSON object"));
  EXPECT_THAT(message_of("{\"prompt\": \"a\", \"stream\": true}"), HasSubstr("\"stream\""));
  EXPECT_THAT(message_of("{\"max_tokens\": 3}"), HasSubstr("neither"));
  EXPECT_THAT(message_of("{\"prompt\": \"a\", \"max_tokens\": 0}"), HasSubstr("max_tokens"));
  EXPECT_THAT(message_of("{\"prompt\": \"a\", \"messages\": [{}]}"), HasSubstr("both"));
  EXPECT_THAT(message_of("{\"prompt\": "), HasSubstr("line 1"));
  EXPECT_THAT(message_of(" \n"), HasSubstr("holds no prompt"));
}

}  // namespace
}  // namespace hangar::bench
