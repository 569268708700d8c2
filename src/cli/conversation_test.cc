#include "cli/conversation.h"

#include <gtest/gtest.h>

#include "base/json.h"

namespace hangar {
namespace {

TEST(Conversation, BecomesATemplatesContext) {
  Conversation talk;
  talk.add_question("a");
  talk.add_answer("b");
  talk.set_system("s");
  talk.add_question("c");
  EXPECT_EQ(write_json(talk.request_context()),
            R"({"messages":[{"role":"system","content":"s"},{"role":"user","content":"a"},)"
            R"({"role":"assistant","content":"b"},{"role":"user","content":"c"}],)"
            R"("add_generation_prompt":true})");
  talk.drop_last();
  EXPECT_EQ(talk.messages(), 2U);
  talk.reset();
  EXPECT_EQ(write_json(talk.request_context()),
            R"({"messages":[{"role":"system","content":"s"}],"add_generation_prompt":true})");
}

TEST(Conversation, ForgetsWholeTurnsAndKeepsTheLastQuestion) {
  Conversation talk;
  talk.add_question("1");
  talk.add_answer("2");
  talk.add_question("3");
  talk.add_answer("4");
  talk.add_question("5");
  EXPECT_TRUE(talk.forget_oldest());
  EXPECT_EQ(talk.messages(), 3U);
  EXPECT_TRUE(talk.forget_oldest());
  EXPECT_EQ(talk.messages(), 1U);
  EXPECT_FALSE(talk.forget_oldest());
  EXPECT_EQ(talk.request_context().at("messages").at(0).at("content"), "5");
}

TEST(ChatCommand, IsTakenApart) {
  ChatCommand command;
  std::string line = "/system  Be brief. ";
  ASSERT_TRUE(parse_chat_command(line, command));
  EXPECT_EQ(command.name, "system");
  EXPECT_EQ(command.argument, "Be brief.");
  line = "/reset";
  ASSERT_TRUE(parse_chat_command(line, command));
  EXPECT_EQ(command.name, "reset");
  EXPECT_EQ(command.argument, "");
  line = "hello /reset";
  EXPECT_FALSE(parse_chat_command(line, command));
  line = "//etc";
  EXPECT_FALSE(parse_chat_command(line, command));
  EXPECT_EQ(line, "/etc");
}

}  // namespace
}  // namespace hangar
