#include "formats/hf/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "formats/hf/test_folder.h"

namespace hangar::hf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

Result<SafetensorsFile> parse(const std::string& file) {
  return parse_safetensors(std::as_bytes(std::span(file)), "w.safetensors");
}

TEST(SafetensorsTest, ReadsEveryTypeItKnows) {
  SafetensorsWriter writer;
  writer.metadata("format", "pt");
  const std::vector<std::pair<std::string, RawType>> types = {
      {"BOOL", RawType::kBool},      {"U8", RawType::kU8},   {"I8", RawType::kI8},
      {"F8_E4M3", RawType::kF8E4M3}, {"I16", RawType::kI16}, {"F8_E5M2", RawType::kF8E5M2},
      {"U16", RawType::kU16},        {"F16", RawType::kF16}, {"BF16", RawType::kBF16},
      {"I32", RawType::kI32},        {"U32", RawType::kU32}, {"F32", RawType::kF32},
      {"I64", RawType::kI64},        {"U64", RawType::kU64}, {"F64", RawType::kF64}};
  std::size_t at = 0;
  for (const auto& [name, type] : types) {
    const std::string data(6 * safetensors_type_bytes(type), static_cast<char>('a' + at++));
    writer.add(name, name, {2, 3}, data);
  }
  const std::string file = writer.bytes();
  const auto parsed = parse(file);
  ASSERT_TRUE(parsed) << parsed.error().message;
  ASSERT_EQ(parsed->tensors.size(), types.size());
  EXPECT_THAT(parsed->metadata, ElementsAre(Pair("format", "pt")));
  for (std::size_t i = 0; i < types.size(); ++i) {
    const RawTensor& tensor = parsed->tensors[i];
    EXPECT_EQ(tensor.name, types[i].first);
    EXPECT_EQ(tensor.type, types[i].second);
    EXPECT_EQ(safetensors_type_name(tensor.type), types[i].first);
    EXPECT_THAT(tensor.shape, ElementsAre(2, 3));
    EXPECT_EQ(tensor.data.size(), 6 * safetensors_type_bytes(tensor.type));
    EXPECT_EQ(std::to_integer<char>(tensor.data.back()), static_cast<char>('a' + i));
  }
}

TEST(SafetensorsTest, ListsTensorsByTheirPlace) {
  const std::string header = R"({"b":{"dtype":"U8","shape":[2],"data_offsets":[3,5]},)"
                             R"("a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},)"
                             R"("none":{"dtype":"F32","shape":[0,7],"data_offsets":[3,3]},)"
                             R"("one":{"dtype":"U8","shape":[],"data_offsets":[5,6]}})";
  const std::string file = safetensors_of(header, "aaabbc");
  const auto parsed = parse(file);
  ASSERT_TRUE(parsed) << parsed.error().message;
  std::vector<std::string> names;
  for (const RawTensor& tensor : parsed->tensors) names.push_back(tensor.name);
  EXPECT_THAT(names, ElementsAre("a", "none", "b", "one"));
  EXPECT_EQ(std::to_integer<char>(parsed->tensors[2].data[0]), 'b');
  EXPECT_TRUE(parsed->tensors[1].data.empty());
}

TEST(SafetensorsTest, AnEmptyModelIsWellFormed) {
  const std::string file = safetensors_of("{}");
  const auto parsed = parse(file);
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_TRUE(parsed->tensors.empty());
}

struct Bad {
  std::string name;
  std::string file;
  std::string words;
  ErrorCode code = ErrorCode::kCorrupt;
};
void PrintTo(const Bad& bad, std::ostream* out) {
  *out << bad.name;
}

class BadSafetensorsTest : public ::testing::TestWithParam<Bad> {};

TEST_P(BadSafetensorsTest, IsRefusedWithWhatWasFound) {
  const auto parsed = parse(GetParam().file);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, GetParam().code) << parsed.error().message;
  EXPECT_THAT(parsed.error().message, HasSubstr("w.safetensors"));
  EXPECT_THAT(parsed.error().message, HasSubstr(GetParam().words));
}

std::string one(std::string_view entry, std::string_view data = "12345678") {
  return safetensors_of(R"({"t":)" + std::string(entry) + "}", data);
}

INSTANTIATE_TEST_SUITE_P(
    All, BadSafetensorsTest,
    ::testing::Values(
        Bad{"Empty", "", "0 bytes found"}, Bad{"Cut", "\x01\x02", "2 bytes found"},
        Bad{"HugeLength", length_bytes(4'000'000'000) + "{}", "header length 4000000000"},
        Bad{"LengthOfAllOnes", length_bytes(UINT64_MAX) + "{}",
            "header length 18446744073709551615"},
        Bad{"LengthPastTheEnd", length_bytes(100) + "{}", "only 2 bytes follow"},
        Bad{"NoHeader", length_bytes(0), "does not start with '{'"},
        Bad{"NotAnObject", safetensors_of("[1]"), "does not start with '{'"},
        Bad{"BrokenJson", safetensors_of(R"({"a":)"), "not JSON at line 1"},
        Bad{"TrailingJson", safetensors_of("{} {}"), "not JSON"},
        Bad{"DuplicateName",
            safetensors_of(R"({"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                           R"("\u0074":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
                           "x"),
            "key 't' is there twice"},
        Bad{"DuplicateField",
            one(R"({"dtype":"U8","dtype":"I8","shape":[8],"data_offsets":[0,8]})"),
            "key 'dtype' is there twice"},
        Bad{"Deep", safetensors_of(std::string(200, '{')), "not JSON"},
        Bad{"EntryNoObject", one("7"), "not an object"},
        Bad{"UnknownField", one(R"({"dtype":"U8","shape":[8],"data_offsets":[0,8],"zip":1})"),
            "key 'zip'", ErrorCode::kUnsupported},
        Bad{"NoDtype", one(R"({"shape":[8],"data_offsets":[0,8]})"), "'dtype'"},
        Bad{"KnownDtype", one(R"({"dtype":"F4","shape":[16],"data_offsets":[0,8]})"),
            "dtype F4 is not supported", ErrorCode::kUnsupported},
        Bad{"UnknownDtype", one(R"({"dtype":"Q9","shape":[8],"data_offsets":[0,8]})"),
            "dtype 'Q9' is not known", ErrorCode::kUnsupported},
        Bad{"NoShape", one(R"({"dtype":"U8","data_offsets":[0,8]})"), "'shape'"},
        Bad{"NegativeSize", one(R"({"dtype":"U8","shape":[-8],"data_offsets":[0,8]})"),
            "-8, a whole number expected"},
        Bad{"Fraction", one(R"({"dtype":"U8","shape":[8.5],"data_offsets":[0,8]})"),
            "8.5, a whole number"},
        Bad{"Overflow",
            one(R"({"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]})"),
            "the product overflows"},
        Bad{"OverflowBehindZero",
            one(R"({"dtype":"F32","shape":[0,4294967296,4294967296],"data_offsets":[0,8]})"),
            "the product overflows"},
        Bad{"ManyDimensions",
            one(R"({"dtype":"U8","shape":[1,1,1,1,1,1,1,1,8],"data_offsets":[0,8]})"),
            "9 dimensions"},
        Bad{"NoOffsets", one(R"({"dtype":"U8","shape":[8]})"), "'data_offsets'"},
        Bad{"OffsetsBackwards", one(R"({"dtype":"U8","shape":[8],"data_offsets":[8,0]})"),
            "data_offsets [8,0] found"},
        Bad{"OffsetsOutside", one(R"({"dtype":"U8","shape":[9],"data_offsets":[0,9]})"),
            "the file has 8 bytes of data"},
        Bad{"OffsetsHuge",
            one(R"({"dtype":"U8","shape":[8],"data_offsets":[0,18446744073709551615]})"),
            "the file has 8 bytes"},
        Bad{"WrongLength", one(R"({"dtype":"F32","shape":[1],"data_offsets":[0,8]})"),
            "8 bytes of data found, but F32 [1] takes 4"},
        Bad{"Overlap",
            safetensors_of(R"({"t":{"dtype":"U8","shape":[5],"data_offsets":[0,5]},)"
                           R"("u":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})",
                           "12345678"),
            "starts at byte 4 of the data, inside tensor 't'"},
        Bad{"SamePlaceTwice",
            safetensors_of(R"({"t":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},)"
                           R"("u":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}})",
                           "12345678"),
            "inside tensor 't'"},
        Bad{"Hole",
            safetensors_of(R"({"t":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                           R"("u":{"dtype":"U8","shape":[3],"data_offsets":[5,8]}})",
                           "12345678"),
            "there is a hole"},
        Bad{"BytesLeft", one(R"({"dtype":"U8","shape":[7],"data_offsets":[0,7]})"),
            "8 bytes of data found, but the header lists 7"},
        Bad{"MetadataNoObject", safetensors_of(R"({"__metadata__":[]})"), "not an object"},
        Bad{"MetadataNoString", safetensors_of(R"({"__metadata__":{"a":1}})"),
            "'a' is not a string"},
        Bad{"ControlCharacters", one(R"({"dtype":"\u001b[1m","shape":[8],"data_offsets":[0,8]})"),
            "\\x1b", ErrorCode::kUnsupported}),
    [](const auto& test) { return test.param.name; });

TEST(SafetensorsTest, TellsItsOwnByTheFirstBytes) {
  const std::string right = safetensors_of("{}");
  EXPECT_TRUE(looks_like_safetensors(std::as_bytes(std::span(right))));
  for (const std::string& wrong : {std::string("GGUF"), std::string(), length_bytes(2) + "[]",
                                   length_bytes(3) + "{}", length_bytes(UINT64_MAX) + "{}"}) {
    EXPECT_FALSE(looks_like_safetensors(std::as_bytes(std::span(wrong))));
  }
}

TEST(SafetensorsTest, DamageGivesAnErrorOrAFileWithinItsBytes) {
  const std::string right = TestModel().writer().bytes();
  ASSERT_TRUE(parse(right));
  std::mt19937 random(7);
  int refused = 0;
  for (int i = 0; i < 2000; ++i) {
    std::string file = right;
    file[random() % 1200] = static_cast<char>(random());
    if (i % 4 == 0) file.resize(random() % file.size());
    const auto parsed = parse(file);
    if (!parsed) {
      ++refused;
      EXPECT_FALSE(parsed.error().message.empty());
      continue;
    }
    for (const RawTensor& tensor : parsed->tensors) {
      const auto* begin = reinterpret_cast<const char*>(tensor.data.data());
      EXPECT_GE(begin, file.data());
      EXPECT_LE(begin + tensor.data.size(), file.data() + file.size());
    }
  }
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace hangar::hf
