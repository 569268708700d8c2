#include "base/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cmath>
#include <limits>

namespace hangar {
namespace {

using ::testing::HasSubstr;

TEST(WriteJson, NumbersAreShortAndReadBackTheSame) {
  const boost::json::value value = {
      {"b", 1.5}, {"a", -0.1}, {"n", 3}, {"big", 1e300}, {"nan", std::nan("")}};
  const std::string text = write_json(value);
  EXPECT_EQ(text, R"({"b":1.5,"a":-0.1,"n":3,"big":1e+300,"nan":null})");
  const auto back = parse_json(text, "test");
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->at("big").as_double(), 1e300);
}

TEST(WriteJson, StringsAreEscaped) {
  EXPECT_EQ(write_json(boost::json::value{{"k\"", "a\n\\\x01"}}), R"({"k\"":"a\n\\\u0001"})");
}

TEST(WriteJson, IndentPutsMembersOnLines) {
  const boost::json::value value = {{"ids", {1, 2}}, {"o", boost::json::object{{"x", nullptr}}}};
  EXPECT_EQ(write_json(value, 2), "{\n  \"ids\": [1, 2],\n  \"o\": {\n    \"x\": null\n  }\n}");
  EXPECT_EQ(write_json(boost::json::object{}, 2), "{}");
}

TEST(ParseJson, SaysWhereItFailed) {
  const auto bad = parse_json("{\n  \"a\": x}", "input.json");
  ASSERT_FALSE(bad.has_value());
  EXPECT_EQ(bad.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(bad.error().message, HasSubstr("input.json: not JSON at line 2, column "));
}

TEST(ParseJson, RefusesExtraAndUnfinishedText) {
  EXPECT_FALSE(parse_json("1 2", "t").has_value());
  EXPECT_FALSE(parse_json("[1", "t").has_value());
  EXPECT_FALSE(parse_json("", "t").has_value());
  EXPECT_TRUE(parse_json(" [1] \n", "t").has_value());
}

TEST(Json, TextOfAMember) {
  const boost::json::object object{{"name", "x"}, {"count", 3}};
  EXPECT_EQ(text_of(object, "name"), "x");
  EXPECT_EQ(text_of(object, "count"), "");
  EXPECT_EQ(text_of(object, "other"), "");
}

}  // namespace
}  // namespace hangar
