#include "formats/hf/json_scanner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

namespace hangar::hf {
namespace {

using ::testing::HasSubstr;

// The scanner's own reading of any JSON, written out plainly.
bool write_value(JsonScanner& scanner, std::string& out) {  // NOLINT(misc-no-recursion)
  std::string_view text;
  switch (scanner.peek()) {
    case JsonScanner::Kind::kObject:
      if (!scanner.enter_object()) return false;
      out += '{';
      while (scanner.next_key(text)) {
        out += std::string(text) + "=";
        if (!write_value(scanner, out)) return false;
        out += ';';
      }
      out += '}';
      return scanner.ok();
    case JsonScanner::Kind::kArray:
      if (!scanner.enter_array()) return false;
      out += '[';
      while (scanner.next_element()) {
        if (!write_value(scanner, out)) return false;
        out += ';';
      }
      out += ']';
      return scanner.ok();
    case JsonScanner::Kind::kString:
      if (!scanner.read_string(text)) return false;
      out += '"' + std::string(text) + '"';
      return true;
    case JsonScanner::Kind::kNumber: {
      double number = 0;
      if (!scanner.read_number(number)) return false;
      out += fmt::format("{}", number);
      return true;
    }
    case JsonScanner::Kind::kBool: {
      bool flag = false;
      if (!scanner.read_bool(flag)) return false;
      out += flag ? "T" : "F";
      return true;
    }
    case JsonScanner::Kind::kNull:
      out += 'N';
      return scanner.read_null();
    case JsonScanner::Kind::kNone:
      return scanner.fail("a value expected");
  }
  return false;
}

std::string scanned(std::string_view text) {
  JsonScanner scanner(text, "t.json");
  std::string out;
  write_value(scanner, out);
  scanner.finish();
  return scanner.ok() ? out : "error: " + scanner.status().error().message;
}

TEST(JsonScannerTest, ReadsEveryKindOfValue) {
  EXPECT_EQ(scanned(R"({"a": [1, -2.5e3, true, false, null], "b": {}, "c": []})"),
            "{a=[1;-2500;T;F;N;];b={};c=[];}");
  EXPECT_EQ(scanned("  \"x\"\n\t\r "), "\"x\"");
  EXPECT_EQ(scanned("[                    1                ,\n\n\n\n\n\n\n\n\n\n\n2]"), "[1;2;]");
}

TEST(JsonScannerTest, UndoesEscapes) {
  EXPECT_EQ(scanned(R"("\"\\\/\b\f\n\r\t")"), "\"\"\\/\b\f\n\r\t\"");
  EXPECT_EQ(scanned(R"("\u0041\u00e9\u4e2d\uD83D\uDE00 and text")"), "\"Aé中😀 and text\"");
  EXPECT_EQ(scanned(R"({"k\u0065y": "v"})"), "{key=\"v\";}");
  EXPECT_EQ(scanned("\"long plain text before \\n and after it, longer than a word\""),
            "\"long plain text before \n and after it, longer than a word\"");
}

TEST(JsonScannerTest, StringsOfEveryLengthEndWhereTheyEnd) {
  for (std::size_t length = 0; length < 40; ++length) {
    const std::string plain(length, 'x');
    EXPECT_EQ(scanned("\"" + plain + "\""), "\"" + plain + "\"");
    EXPECT_EQ(scanned("\"" + plain + "\\n\""), "\"" + plain + "\n\"");
    EXPECT_EQ(scanned("\"" + plain + "é日😀\""), "\"" + plain + "é日😀\"");
    EXPECT_THAT(scanned("\"" + plain), HasSubstr("a string does not end"));
    EXPECT_THAT(scanned("\"" + plain + "\x01\""), HasSubstr("a control character"));
    EXPECT_THAT(scanned("\"" + plain + "\xff\""), HasSubstr("not valid UTF-8"));
    EXPECT_THAT(scanned("\"" + plain + "\xc3\""), HasSubstr("not valid UTF-8"));
  }
}

TEST(JsonScannerTest, RefusesWhatIsNotJson) {
  const char* const kWrong[] = {
      "",
      "{",
      "[",
      "[1,]",
      "[,1]",
      "[1 2]",
      "{\"a\":1,}",
      "{\"a\" 1}",
      "{a:1}",
      "{\"a\":1]",
      "[1}",
      "01",
      "-",
      "1.",
      ".5",
      "1e",
      "+1",
      "tru",
      "nul",
      "truee",
      "\"\\x\"",
      "\"\\u12g4\"",
      "\"\\u12",
      "\"\\ud800\"",
      "\"\\udc00\"",
      "\"\\ud800\\u0041\"",
      "\"a\nb\"",
      "1 2",
      "[1]]",
      "NaN",
      "Infinity",
      "\x01 1",
      "\"\\u-123\"",
  };
  for (const char* text : kWrong) {
    EXPECT_THAT(scanned(text), HasSubstr("error: t.json: line ")) << text;
    boost::system::error_code error;
    boost::json::parse(text, error);
    EXPECT_TRUE(error) << text;  // another parser agrees
  }
}

TEST(JsonScannerTest, TellsLineAndColumn) {
  EXPECT_THAT(scanned("{\n  \"a\": 1,\n  \"b\": x\n}"), HasSubstr("line 3, column 8"));
  EXPECT_THAT(scanned("[1"), HasSubstr("line 1, column 3"));
}

TEST(JsonScannerTest, DepthIsBounded) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_THAT(scanned(nested(JsonScanner::kMaxDepth)), ::testing::StartsWith("["));
  EXPECT_THAT(scanned(nested(JsonScanner::kMaxDepth + 1)), HasSubstr("nested deeper than 32"));
  EXPECT_THAT(scanned(std::string(1'000'000, '[')), HasSubstr("nested deeper than 32"));
}

TEST(JsonScannerTest, WholeNumbers) {
  const auto integer = [](std::string_view text) -> std::string {
    JsonScanner scanner(text, "t.json");
    std::int64_t value = 0;
    scanner.read_integer(value);
    scanner.finish();
    return scanner.ok() ? std::to_string(value) : "error";
  };
  EXPECT_EQ(integer("0"), "0");
  EXPECT_EQ(integer("-12"), "-12");
  EXPECT_EQ(integer("9223372036854775807"), "9223372036854775807");
  for (const char* wrong : {"9223372036854775808", "1.0", "1e3", "007", "\"1\"", "", "-", "--1"}) {
    EXPECT_EQ(integer(wrong), "error") << wrong;
  }
}

TEST(JsonScannerTest, NumbersEqualBoosts) {
  for (const char* text : {"0", "-0.0", "-3.4635426998138428", "1e-300", "123456789012345678",
                           "0.1", "-14.625", "1.7976931348623157e308"}) {
    JsonScanner scanner(text, "t.json");
    double value = 0;
    ASSERT_TRUE(scanner.read_number(value)) << text;
    EXPECT_EQ(value, boost::json::parse(text).to_number<double>()) << text;
  }
  double value = 0;
  JsonScanner large("1e999", "t.json");
  EXPECT_FALSE(large.read_number(value));
}

TEST(JsonScannerTest, SkippedValuesAreCheckedThrough) {
  const auto skipped = [](std::string_view text) -> std::string {
    JsonScanner scanner(text, "t.json");
    std::string_view value;
    scanner.skip_value(value);
    scanner.finish();
    return scanner.ok() ? std::string(value) : scanner.status().error().message;
  };
  EXPECT_EQ(skipped(R"(  {"a": [1, {"a": "]"}]}  )"), R"({"a": [1, {"a": "]"}]})");
  EXPECT_THAT(skipped(R"({"a": 1, "b": 2, "\u0061": 3})"), HasSubstr("'a' is there twice"));
  EXPECT_THAT(skipped(R"({"a": [1, }])"), HasSubstr("a value expected"));
}

TEST(JsonScannerTest, TheFirstErrorStays) {
  JsonScanner scanner("[1, x, y]", "t.json");
  ASSERT_TRUE(scanner.enter_array());
  std::int64_t value = 0;
  ASSERT_TRUE(scanner.next_element() && scanner.read_integer(value));
  ASSERT_TRUE(scanner.next_element());
  EXPECT_FALSE(scanner.read_integer(value));
  const std::string first = scanner.status().error().message;
  EXPECT_FALSE(scanner.next_element());
  EXPECT_FALSE(scanner.fail("another"));
  EXPECT_EQ(scanner.peek(), JsonScanner::Kind::kNone);
  EXPECT_EQ(scanner.status().error().message, first);
  EXPECT_EQ(scanner.status().error().code, ErrorCode::kCorrupt);
}

TEST(JsonScannerTest, PairsOfStringsAreBothGood) {
  JsonScanner scanner(R"([["a", "b"], ["\u00e9\n", "\"x"], ["", "long enough to be on the heap"]])",
                      "t.json");
  std::vector<std::pair<std::string, std::string>> pairs;
  ASSERT_TRUE(scanner.enter_array());
  while (scanner.next_element()) {
    std::string_view first;
    std::string_view second;
    ASSERT_TRUE(scanner.read_string_pair(first, second));
    EXPECT_GE(scanner.readable_end(first), first.data() + first.size());
    pairs.emplace_back(first, second);
  }
  ASSERT_TRUE(scanner.finish());
  EXPECT_THAT(pairs,
              ::testing::ElementsAre(::testing::Pair("a", "b"), ::testing::Pair("é\n", "\"x"),
                                     ::testing::Pair("", "long enough to be on the heap")));
  for (const std::string_view text : {R"(["a"])", R"(["a", "b", "c"])", "[]", R"(["a", 1])"}) {
    JsonScanner broken(text, "t.json");
    std::string_view first;
    std::string_view second;
    EXPECT_FALSE(broken.read_string_pair(first, second)) << text;
    EXPECT_THAT(broken.status().error().message, HasSubstr("expected"));
  }
}

TEST(JsonScannerTest, WhiteSpaceMayChangeAtAnyPlace) {
  // What stood at a place before is guessed to come again: each layout follows on each.
  const std::vector<std::string> layouts = {"",
                                            " ",
                                            "\n",
                                            "\n  ",
                                            "\n       ",
                                            "\n        ",
                                            "\r\n\t ",
                                            std::string(16, ' '),
                                            std::string(17, ' '),
                                            "\n" + std::string(40, ' ')};
  std::string text = "[";
  std::string plain = "[";
  for (const std::string& one : layouts) {
    for (const std::string& other : layouts) {
      for (const std::string* space : {&one, &one, &other, &one}) {
        text += *space + "{" + *space + "\"k\"" + *space + ":" + *space + "1" + *space + "," +
                *space + "\"l\":[2" + *space + "," + *space + "3" + *space + "]}" + *space + ",";
        plain += "{k=1;l=[2;3;];};";
      }
    }
  }
  text += "4]";
  plain += "4;]";
  JsonScanner scanner(text, "t.json");
  std::string written;
  ASSERT_TRUE(write_value(scanner, written)) << scanner.status().error().message;
  EXPECT_EQ(written, plain);
}

}  // namespace
}  // namespace hangar::hf
