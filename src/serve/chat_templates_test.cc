#include "serve/chat_templates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace hangar {
namespace {

using ::testing::HasSubstr;

TEST(ChatTemplates, ToolsGetTheirOwnTemplateWhereThereIsOne) {
  const std::vector<ChatTemplateSource> sources{
      {"default", "plain"}, {"tool_use", "tools"}, {"rag", "{% broken"}};
  const auto templates = ChatTemplates::parse(sources);
  ASSERT_TRUE(templates.has_value()) << templates.error().message;
  EXPECT_EQ(templates->choose(false)->source(), "plain");
  EXPECT_EQ(templates->choose(true)->source(), "tools");
}

TEST(ChatTemplates, TheOnlyOneIsTheUsualOne) {
  const std::vector<ChatTemplateSource> sources{{"mine", "plain"}};
  const auto templates = ChatTemplates::parse(sources);
  ASSERT_TRUE(templates.has_value());
  EXPECT_EQ(templates->choose(true)->source(), "plain");
  EXPECT_EQ(ChatTemplates().choose(false), nullptr);
}

TEST(ChatTemplates, ABrokenOneIsNamed) {
  const std::vector<ChatTemplateSource> sources{{"default", "ok"}, {"tool_use", "{% if %}"}};
  const auto templates = ChatTemplates::parse(sources);
  ASSERT_FALSE(templates.has_value());
  EXPECT_THAT(templates.error().message, HasSubstr("\"tool_use\""));
}

}  // namespace
}  // namespace hangar
