#include "text/jinja/lexer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "text/jinja/error.h"

namespace hangar::jinja {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> texts(std::string_view source) {
  std::vector<std::string> out;
  for (const Token& token : tokenize(source)) {
    if (!token.text.empty()) out.push_back(token.text);
  }
  return out;
}

TEST(Lexer, GivesTypesAndLines) {
  const auto tokens = tokenize("a\n{{ x }}\n{% if 1 %}");
  ASSERT_EQ(tokens.size(), 10U);
  EXPECT_EQ(tokens[0].type, TokenType::kText);
  EXPECT_EQ(tokens[1].type, TokenType::kPrintBegin);
  EXPECT_EQ(tokens[1].line, 2);
  EXPECT_EQ(tokens[2].type, TokenType::kName);
  EXPECT_EQ(tokens[5].type, TokenType::kBlockBegin);
  EXPECT_EQ(tokens[5].line, 3);
  EXPECT_EQ(tokens[7].integer, 1);
  EXPECT_EQ(tokens.back().type, TokenType::kEnd);
}

TEST(Lexer, ControlsWhiteSpace) {
  EXPECT_THAT(texts("a\n  {% x %}\nb"), ElementsAre("a\n", "x", "b"));
  EXPECT_THAT(texts("a\n  {%+ x +%}\nb"), ElementsAre("a\n  ", "x", "\nb"));
  EXPECT_THAT(texts("a \n {%- x -%} \n b"), ElementsAre("a", "x", "b"));
  EXPECT_THAT(texts("a {{ x }}\nb\n"), ElementsAre("a ", "x", "\nb"));
  EXPECT_THAT(texts("a{# no #}\nb"), ElementsAre("a", "b"));
}

TEST(Lexer, KeepsRawTextAndLongOperators) {
  EXPECT_THAT(texts("{% raw %}{{ x }}{% endraw %}"), ElementsAre("{{ x }}"));
  EXPECT_THAT(texts("{{ a//b**c!=d }}"), ElementsAre("a", "//", "b", "**", "c", "!=", "d"));
  EXPECT_THAT(texts("{{ {'a':{'b':1}} }}"),
              ElementsAre("{", "a", ":", "{", "b", ":", "1", "}", "}"));
}

TEST(Lexer, ReadsNumbersAndEscapes) {
  const auto tokens = tokenize(R"({{ 0x1F 1_000 1.5e3 'a\n\u00e9\x41' }})");
  EXPECT_EQ(tokens[1].integer, 31);
  EXPECT_EQ(tokens[2].integer, 1000);
  EXPECT_DOUBLE_EQ(tokens[3].real, 1500.0);
  EXPECT_EQ(tokens[4].text, "a\n\u00e9A");
}

TEST(Lexer, NamesTheLineOfAnError) {
  struct Case {
    std::string_view source, words;
    int line;
  };
  for (const Case& bad : std::initializer_list<Case>{{"a\n{{ 'x }}", "string is not closed", 2},
                                                     {"\n\n{# x", "missing end of comment", 3},
                                                     {"{% raw %}\nx", "missing end of raw", 1},
                                                     {"{{ (1] }}", "expected ')'", 1},
                                                     {"\n{{ ? }}", "unexpected character '?'", 2},
                                                     {"{{ 99999999999999999999 }}", "64 bits", 1},
                                                     {"{{ '\\ud800' }}", "names no character", 1},
                                                     {"\xff", "not valid UTF-8", 1}}) {
    try {
      tokenize(bad.source);
      ADD_FAILURE() << bad.source << " was taken";
    } catch (const TemplateFailure& failure) {
      EXPECT_THAT(failure.error().message, HasSubstr(bad.words));
      EXPECT_EQ(failure.line(), bad.line) << bad.source;
    }
  }
}

}  // namespace
}  // namespace hangar::jinja
