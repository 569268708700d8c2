#include "text/stand_in_tokenizer.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace hangar {
namespace {

constexpr Tokenizer::EncodeOptions kPlain = {.add_special = false, .parse_special = false};

std::unique_ptr<const Tokenizer> stand_in(std::int32_t vocabulary) {
  auto made = make_tokenizer(make_stand_in_tokenizer(vocabulary));
  EXPECT_TRUE(made) << made.error().message;
  return made ? std::move(*made) : nullptr;
}

TEST(StandInTokenizer, HasATextOfItsOwnForEveryId) {
  for (const std::int32_t vocabulary : {1, 96, 127, 128, 256, 257, 288, 49152}) {
    const auto tokenizer = stand_in(vocabulary);
    ASSERT_NE(tokenizer, nullptr);
    EXPECT_EQ(tokenizer->vocabulary(), vocabulary);
    std::set<std::string> texts;
    for (std::int32_t id = 0; id < vocabulary; ++id) {
      texts.emplace(tokenizer->token_bytes(id));
      EXPECT_FALSE(tokenizer->is_special(id)) << id;
    }
    EXPECT_EQ(texts.size(), static_cast<std::size_t>(vocabulary));
    EXPECT_FALSE(texts.contains(""));
  }
}

TEST(StandInTokenizer, WordsOfFewLettersAreOneToken) {
  const auto tokenizer = stand_in(128'256);
  EXPECT_EQ(tokenizer->encode("way day man a be eye", kPlain).size(), 6U);
  EXPECT_EQ(tokenizer->encode(" way", kPlain), tokenizer->encode("way", kPlain));
  const auto ids = tokenizer->encode("the cat sat", kPlain);
  EXPECT_EQ(tokenizer->decode(ids), " the cat sat");
  EXPECT_EQ(tokenizer->token_bytes(256), " a");
  EXPECT_EQ(tokenizer->token_bytes(256 + 26), " aa");
  EXPECT_EQ(tokenizer->token_bytes(256 + 26 + 26 * 26), " aaa");
}

TEST(StandInTokenizer, AnyBytesComeBack) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  for (const std::int32_t vocabulary : {256, 1000}) {
    const auto tokenizer = stand_in(vocabulary);
    for (const std::string& text :
         {all, std::string("Zürich, 中文 and\nlines"), std::string("x")}) {
      EXPECT_EQ(tokenizer->decode(tokenizer->encode(" " + text, kPlain)), " " + text) << vocabulary;
    }
  }
}

TEST(StandInTokenizer, ItsTemplateShowsEachMessage) {
  const auto parsed = ChatTemplate::parse(kStandInTemplate);
  ASSERT_TRUE(parsed) << parsed.error().message;
  const boost::json::object context = {{"messages", boost::json::array{boost::json::object{
                                                        {"role", "user"}, {"content", "hi you"}}}},
                                       {"add_generation_prompt", true}};
  EXPECT_EQ(parsed->render(context).value(), "user: hi you\nassistant:");
}

}  // namespace
}  // namespace hangar
