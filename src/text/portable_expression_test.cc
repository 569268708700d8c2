#include "text/portable_expression.h"

#include <gtest/gtest.h>

#include "text/expression.h"

namespace hangar {
namespace {

// The matches of an expression, with "|" between them.
std::string matches(std::string_view expression, std::string_view text) {
  const auto compiled = Expression::compile(expression);
  if (!compiled) return "error: " + compiled.error().message;
  Expression::Cursor cursor(*compiled);
  std::string out;
  compiled->for_each_match(text, cursor, [&](std::size_t begin, std::size_t end) {
    out.append(text.substr(begin, end - begin)).append("|");
  });
  return out;
}

// What Oniguruma gives, tried with Hugging Face's tokenizers.
TEST(PortableExpression, SetsInsideSetsAndTheirIntersections) {
  EXPECT_EQ(matches("[a-z&&[^aeiou]]+", "hello"), "h|ll|");
  EXPECT_EQ(matches("[^a-z&&[^aeiou]]+", "hEllo"), "E|o|");
  EXPECT_EQ(matches("[a[bc]d]+", "xabcde"), "abcd|");
  EXPECT_EQ(matches("[a[^b-z]]+", "abA1b"), "a|A1|");
  EXPECT_EQ(matches("[]a]+", "]a["), "]a|");
  EXPECT_EQ(matches(R"([\w-]+)", "a-b c"), "a-b|c|");
  EXPECT_EQ(matches(R"([^\S\n]+)", "a \n\t"), " |\t|");
  EXPECT_EQ(matches(R"([\p{^L}]+)", "a1é2"), "1|2|");
}

TEST(PortableExpression, ClassesAreOniguruma) {
  EXPECT_EQ(matches(R"(\h+)", "xfF0 g"), "fF0|");
  EXPECT_EQ(matches(R"(\d+)", "1٣x²"), "1٣|");
  EXPECT_EQ(matches(R"(\w+)", "é_1²\u200D-ⓐ"), "é_1²|ⓐ|");
  EXPECT_EQ(matches(R"(\s+)", "a\u180E\u00A0\u2003b"), "\u00A0\u2003|");
  EXPECT_EQ(matches(R"(\p{Han}+)", "、漢字。々"), "漢字|々|");
  EXPECT_EQ(matches(R"(\bx\b)", "x ax x²x"), "x|");
  EXPECT_EQ(matches(R"(\u0061\x62\x{63})", "abc"), "abc|");
}

TEST(PortableExpression, LinesAndOptionsAreRubys) {
  EXPECT_EQ(matches(R"(\s+$)", "a  \nb \n"), "  | \n|");
  EXPECT_EQ(matches("^b", "a\nb"), "b|");
  EXPECT_EQ(matches("a.b", "a\nb"), "");
  EXPECT_EQ(matches("(?m)a.b", "a\nb"), "a\nb|");
  EXPECT_EQ(matches("(?m-i:a.)B", "a\nB"), "a\nB|");
}

TEST(PortableExpression, RepetitionsAreRubys) {
  EXPECT_EQ(matches("a{,2}b", "aaab"), "aab|");
  EXPECT_EQ(matches("a{2}+b", "aaaab"), "aaaab|");
  EXPECT_EQ(matches("(?:ab){2}+c", "ababababc"), "ababababc|");
  EXPECT_EQ(matches("[ab]{2}?c", "abc"), "abc|");
  EXPECT_EQ(matches("a{x}", "a{x}"), "a{x}|");
  EXPECT_EQ(matches("a++b|a?+c", "aab"), "aab|");
}

TEST(PortableExpression, SaysWhatIsNotSupported) {
  for (const char* expression : {"(?~ab)", "[a", "[[:alpha]", "\\p", "\\pL", "a)", "(?<=a*)b"}) {
    const auto compiled = Expression::compile(expression);
    ASSERT_FALSE(compiled.has_value()) << expression;
    EXPECT_EQ(compiled.error().code, ErrorCode::kUnsupported);
    EXPECT_NE(compiled.error().message.find(expression), std::string::npos);
  }
  EXPECT_FALSE(portable_expression(std::string(1000, '[')).has_value());
}

}  // namespace
}  // namespace hangar
