#include "formats/gguf/value.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/gguf/file.h"
#include "formats/gguf/test_writer.h"

namespace hangar::gguf {
namespace {

using ::testing::HasSubstr;

// Each type at an end of its range, and how it is written.
TestWriter every_type() {
  TestWriter file;
  file.add("u8", std::uint8_t{255}).add("i8", std::int8_t{-128});
  file.add("u16", std::uint16_t{65535}).add("i16", std::int16_t{-32768});
  file.add("u32", std::uint32_t{4294967295}).add("i32", std::int32_t{-2147483647 - 1});
  file.add("u64", std::uint64_t{18446744073709551615U}).add("i64", std::int64_t{INT64_MIN});
  file.add("f32", 0.1F).add("f64", 0.1).add("yes", true).add("no", false);
  file.add("text", std::string("héllo\tworld\n\x01\xff"));
  file.add_array("numbers", std::vector<std::int16_t>{-1, 2});
  file.add_array("texts", std::vector<std::string>{"a", "", "c"});
  file.add_array("flags", std::vector<bool>{true, false});
  file.add_array("nested", std::vector<std::vector<std::uint8_t>>{{1, 2}, {}, {3}});
  file.add_array("empty", std::vector<float>{});
  return file;
}

std::vector<std::pair<std::string, std::string>> written(const File& file) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& [key, value] : file.metadata.entries()) {
    out.emplace_back(std::string(key), to_text(value));
  }
  return out;
}

class EveryTypeTest : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(EveryTypeTest, IsReadAndWrittenOut) {
  TestWriter writer = every_type();
  writer.version = GetParam();
  const std::vector<std::byte> bytes = writer.bytes();
  const Result<File> file = parse_file(bytes, "f.gguf");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->version, GetParam());
  EXPECT_THAT(
      written(*file),
      ::testing::ElementsAre(
          ::testing::Pair("u8", "255"), ::testing::Pair("i8", "-128"),
          ::testing::Pair("u16", "65535"), ::testing::Pair("i16", "-32768"),
          ::testing::Pair("u32", "4294967295"), ::testing::Pair("i32", "-2147483648"),
          ::testing::Pair("u64", "18446744073709551615"),
          ::testing::Pair("i64", "-9223372036854775808"), ::testing::Pair("f32", "0.1"),
          ::testing::Pair("f64", "0.1"), ::testing::Pair("yes", "true"),
          ::testing::Pair("no", "false"), ::testing::Pair("text", "héllo\\tworld\\n\\x01\\xff"),
          ::testing::Pair("numbers", "int16[2] [-1, 2]"),
          ::testing::Pair("texts", R"(string[3] ["a", "", "c"])"),
          ::testing::Pair("flags", "bool[2] [true, false]"),
          ::testing::Pair("nested", "array[3] [uint8[2] [1, 2], uint8[0] [], uint8[1] [3]]"),
          ::testing::Pair("empty", "float32[0] []")));
}

INSTANTIATE_TEST_SUITE_P(Versions, EveryTypeTest, ::testing::Values(2U, 3U));

TEST(ValueTest, LongArraysAreShortened) {
  TestWriter writer;
  writer.add_array("many", std::vector<std::uint32_t>(1000, 7));
  writer.add_array("long", std::vector<std::string>{std::string(500, 'x')});
  const std::vector<std::byte> bytes = writer.bytes();
  const Result<File> file = parse_file(bytes, "f.gguf");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(to_text(*file->metadata.find("many")), "uint32[1000] [7, 7, 7, 7, 7, 7, 7, 7, ...]");
  EXPECT_LT(to_text(*file->metadata.find("long")).size(), 100U);
  EXPECT_THAT(to_text(*file->metadata.find("long")), HasSubstr("xxx...\""));
}

TEST(PrintableTest, EscapesWhatATerminalShouldNotGet) {
  EXPECT_EQ(printable("plain é 日本 😀"), "plain é 日本 😀");
  EXPECT_EQ(printable("\x1b[31m"), "\\x1b[31m");
  EXPECT_EQ(printable("a\\n"), "a\\\\n");
  EXPECT_EQ(printable("\xc3"), "\\xc3");           // cut short
  EXPECT_EQ(printable("\xc0\xaf"), "\\xc0\\xaf");  // overlong
  EXPECT_EQ(printable("\xe0\x80\xaf"), "\\xe0\\x80\\xaf");
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // a surrogate
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "\\u009b31m");  // a control character of two bytes
  EXPECT_EQ(printable("abcdef", 3), "abc...");
  EXPECT_EQ(printable("abc", 3), "abc");
}

TEST(CursorTest, StopsAtTheEnd) {
  const std::string text(10, '\x02');
  Cursor cursor(std::as_bytes(std::span(text)), "f.gguf");
  const Result<std::uint64_t> first = cursor.read<std::uint64_t>("first");
  ASSERT_TRUE(first);
  EXPECT_EQ(*first, 0x0202020202020202U);
  EXPECT_EQ(cursor.remaining(), 2U);
  const Result<std::uint32_t> second = cursor.read<std::uint32_t>("second");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(second.error().message, HasSubstr("f.gguf: second at byte 8: needs 4 bytes, 2 left"));
  EXPECT_TRUE(cursor.read<std::uint16_t>("third"));
  EXPECT_EQ(cursor.remaining(), 0U);
}

}  // namespace
}  // namespace hangar::gguf
