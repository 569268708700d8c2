// Hostile and broken files, one row each: what is wrong and the words that must say so.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "formats/gguf/checkpoint.h"
#include "formats/gguf/test_writer.h"

namespace hangar::gguf {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kHuge = 0xFFFFFFFFFFFFFFFFU;
constexpr std::uint32_t kF32 = 0;

std::string u32(std::uint32_t x) {
  std::string out;
  TestWriter::put_value(out, x);
  return out;
}
std::string u64(std::uint64_t x) {
  std::string out;
  TestWriter::put_value(out, x);
  return out;
}

struct Refusal {
  std::string name;
  std::function<void(TestWriter&)> break_it;
  ErrorCode code;
  std::vector<std::string> words;
};

void PrintTo(const Refusal& refusal, std::ostream* out) {
  *out << refusal.name;
}

class RefusalTest : public ::testing::TestWithParam<Refusal> {};

TEST_P(RefusalTest, NamesTheFileTheFieldAndWhatWasFound) {
  TestWriter writer;
  writer.add("general.name", std::string("x"));
  GetParam().break_it(writer);
  const std::vector<std::byte> bytes = writer.bytes();
  const Result<std::unique_ptr<Checkpoint>> opened = open_gguf_bytes(bytes, "evil.gguf");
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, GetParam().code) << opened.error().message;
  EXPECT_THAT(opened.error().message, HasSubstr("evil.gguf"));
  for (const std::string& word : GetParam().words) {
    EXPECT_THAT(opened.error().message, HasSubstr(word));
  }
}

constexpr ErrorCode kCorrupt = ErrorCode::kCorrupt;
constexpr ErrorCode kUnsupported = ErrorCode::kUnsupported;

const Refusal kHeader[] = {
    {"Magic", [](TestWriter& w) { w.magic = "GGML"; }, kCorrupt, {"magic", "'GGML'", "'GGUF'"}},
    {"Version0", [](TestWriter& w) { w.version = 0; }, kUnsupported, {"version is 0", "2 or 3"}},
    {"Version1", [](TestWriter& w) { w.version = 1; }, kUnsupported, {"version is 1", "2 or 3"}},
    {"Version4", [](TestWriter& w) { w.version = 4; }, kUnsupported, {"version is 4", "2 or 3"}},
    {"BigEndian", [](TestWriter& w) { w.version = 0x03000000; }, kUnsupported, {"big-endian"}},
    {"HugeMetadataCount",
     [](TestWriter& w) { w.metadata_count = kHuge; },
     kCorrupt,
     {"metadata count", "18446744073709551615"}},
    {"HugeTensorCount",
     [](TestWriter& w) { w.tensor_count = kHuge; },
     kCorrupt,
     {"tensor count", "18446744073709551615"}},
    {"OneKeyTooMany",
     [](TestWriter& w) { w.add("k", true).metadata_count = 3; },
     kCorrupt,
     {"key 3 of 3"}},
    {"OneTensorTooMany",
     [](TestWriter& w) { w.tensor("t", kF32, {64}, 256).tensor_count = 2; },
     kCorrupt,
     {"name of tensor 2 of 2"}},
};

const Refusal kMetadata[] = {
    {"DuplicateKey",
     [](TestWriter& w) { w.add("general.name", true); },
     kCorrupt,
     {"'general.name'", "twice"}},
    {"EmptyKey", [](TestWriter& w) { w.add("", true); }, kCorrupt, {"key 2 of 2", "empty"}},
    {"LongKey",
     [](TestWriter& w) { w.add(std::string(70000, 'k'), true); },
     kCorrupt,
     {"key 2 of 2", "70000 bytes long"}},
    {"HugeKey",
     [](TestWriter& w) { w.add_garbage(u64(kHuge) + "abcdef"); },
     kCorrupt,
     {"key 2 of 2", "18446744073709551615 bytes long"}},
    {"UnknownType",
     [](TestWriter& w) { w.add_raw("k", 13, u64(0)); },
     kCorrupt,
     {"type of metadata 'k'", "13", "0 to 12"}},
    {"HugeType",
     [](TestWriter& w) { w.add_raw("k", 0xFFFFFFFF, u64(0)); },
     kCorrupt,
     {"4294967295"}},
    {"BadBool",
     [](TestWriter& w) { w.add_raw("k", 7, "\x02"); },
     kCorrupt,
     {"metadata 'k'", "bool is 2", "0 or 1"}},
    {"BadBoolInArray",
     [](TestWriter& w) { w.add_raw("k", 9, u32(7) + u64(2) + "\x01\x09"); },
     kCorrupt,
     {"metadata 'k'", "bool is 9"}},
    {"HugeString",
     [](TestWriter& w) { w.add_raw("k", 8, u64(kHuge) + "abc"); },
     kCorrupt,
     {"metadata 'k'", "18446744073709551615 bytes", "3 left"}},
    {"StringPastEnd",
     [](TestWriter& w) { w.add_raw("k", 8, u64(4) + "abc"); },
     kCorrupt,
     {"metadata 'k'", "needs 4 bytes, 3 left"}},
    {"NumberCut",
     [](TestWriter& w) { w.add_raw("k", 10, "abc"); },
     kCorrupt,
     {"metadata 'k'", "needs 8 bytes, 3 left"}},
    {"HugeArray",
     [](TestWriter& w) { w.add_raw("k", 9, u32(4) + u64(kHuge)); },
     kCorrupt,
     {"array of uint32", "18446744073709551615"}},
    {"ArrayTimesSizeOverflows",
     [](TestWriter& w) { w.add_raw("k", 9, u32(10) + u64(0x2000000000000001U)); },
     kCorrupt,
     {"array of uint64", "2305843009213693953"}},
    {"HugeStringArray",
     [](TestWriter& w) { w.add_raw("k", 9, u32(8) + u64(1U << 31U)); },
     kCorrupt,
     {"array of string", "2147483648"}},
    {"HugeArrayOfArrays",
     [](TestWriter& w) { w.add_raw("k", 9, u32(9) + u64(1U << 31U)); },
     kCorrupt,
     {"array of array", "2147483648"}},
    {"ArrayOfUnknown",
     [](TestWriter& w) { w.add_raw("k", 9, u32(99) + u64(0)); },
     kCorrupt,
     {"99", "0 to 12"}},
    {"NestedTooDeep",
     [](TestWriter& w) {
       std::string deep;
       for (int i = 0; i < 100000; ++i) deep += u32(9) + u64(1);
       w.add_raw("k", 9, deep + u32(0) + u64(0));
     },
     kCorrupt,
     {"metadata 'k'", "nested deeper than the 4"}},
    {"EscapedInMessage",
     [](TestWriter& w) { w.add_raw("\x1b[31m", 13, u64(0)); },
     kCorrupt,
     {"'\\x1b[31m'"}},
};

template <typename T>
std::function<void(TestWriter&)> alignment(T value) {
  return [value](TestWriter& w) { w.add("general.alignment", value).tensor("t", kF32, {8}, 32); };
}

const Refusal kAlignment[] = {
    {"Zero",
     alignment(std::uint32_t{0}),
     kCorrupt,
     {"'general.alignment'", "0 found", "power of two"}},
    {"NoPower", alignment(std::uint32_t{48}), kCorrupt, {"48 found", "power of two"}},
    {"Small", alignment(std::uint32_t{4}), kCorrupt, {"4 found", "from 8"}},
    {"Huge", alignment(std::uint32_t{1U << 31U}), kCorrupt, {"2147483648 found"}},
    {"Text", alignment(std::string("32")), kCorrupt, {"'general.alignment'"}},
    {"Negative", alignment(std::int32_t{-32}), kCorrupt, {"-32 found"}},
};

const Refusal kTensors[] = {
    {"DuplicateName",
     [](TestWriter& w) { w.tensor("t", kF32, {1}, 4).tensor("t", kF32, {1}, 4); },
     kCorrupt,
     {"tensor 't'", "twice"}},
    {"EmptyName",
     [](TestWriter& w) { w.tensor("", kF32, {1}, 4); },
     kCorrupt,
     {"name of tensor 1 of 1", "empty"}},
    {"LongName",
     [](TestWriter& w) { w.tensor(std::string(65, 'n'), kF32, {1}, 4); },
     kCorrupt,
     {"name of tensor 1 of 1", "65 bytes long", "at most 64"}},
    {"FiveDimensions",
     [](TestWriter& w) { w.tensor("t", kF32, {1, 1, 1, 1, 1}, 4); },
     kCorrupt,
     {"tensor 't'", "5 dimensions", "at most 4"}},
    {"ZeroDimension",
     [](TestWriter& w) { w.tensor("t", kF32, {4, 0}, 4); },
     kCorrupt,
     {"tensor 't'", "dimension 1 is 0"}},
    {"HugeDimension",
     [](TestWriter& w) { w.tensor("t", kF32, {kHuge}, 4); },
     kCorrupt,
     {"tensor 't'", "18446744073709551615", "overflows"}},
    {"ProductOverflows",
     [](TestWriter& w) { w.tensor("t", kF32, {1U << 31U, 1U << 31U, 1U << 31U, 1U << 31U}, 4); },
     kCorrupt,
     {"tensor 't'", "overflows"}},
    {"ProductWrapsToSmall",
     [](TestWriter& w) {
       w.tensor("t", kF32, {std::uint64_t{1} << 32U, std::uint64_t{1} << 32U}, 4);
     },
     kCorrupt,
     {"tensor 't'", "overflows"}},
    {"TypeIq2Xs",
     [](TestWriter& w) { w.tensor("blk.7.w", 17, {256}, 74); },
     kUnsupported,
     {"tensor 'blk.7.w'", "IQ2_XS is not supported", "Q4_K"}},
    {"TypeTq1",
     [](TestWriter& w) { w.tensor("t", 34, {256}, 54); },
     kUnsupported,
     {"tensor 't'", "TQ1_0"}},
    {"TypeIq3S",
     [](TestWriter& w) { w.tensor("t", 21, {256}, 110); },
     kUnsupported,
     {"tensor 't'", "IQ3_S is not supported", "Q2_K", "IQ4_XS", "MXFP4"}},
    {"TypeNvfp4",
     [](TestWriter& w) { w.tensor("t", 40, {256}, 144); },
     kUnsupported,
     {"tensor 't'", "NVFP4 is not supported"}},
    {"TypeWithdrawn",
     [](TestWriter& w) { w.tensor("t", 31, {256}, 144); },
     kUnsupported,
     {"tensor 't'", "Q4_0_4_4"}},
    {"TypeUnknown",
     [](TestWriter& w) { w.tensor("t", 1000, {256}, 144); },
     kUnsupported,
     {"tensor 't'", "type number 1000 is unknown"}},
    {"PartOfABlock",
     [](TestWriter& w) { w.tensor("t", 3, {33, 32}, 660); },
     kCorrupt,
     {"tensor 't'", "33 elements", "multiple of 32", "Q4_1"}},
    {"PartOfAKBlock",
     [](TestWriter& w) { w.tensor("t", 12, {128, 2}, 144); },
     kCorrupt,
     {"tensor 't'", "128 elements", "multiple of 256"}},
    {"Misaligned",
     [](TestWriter& w) { w.tensor("t", kF32, {1}, 64, 4); },
     kCorrupt,
     {"tensor 't'", "offset 4", "alignment 32"}},
    {"OffsetPastEnd",
     [](TestWriter& w) { w.tensor("t", kF32, {8}, 32, 32); },
     kCorrupt,
     {"tensor 't'", "32 bytes at offset 32", "has 32 bytes"}},
    {"OffsetHuge",
     [](TestWriter& w) { w.tensor("t", kF32, {8}, 32, kHuge - 31); },
     kCorrupt,
     {"tensor 't'", "18446744073709551584"}},
    {"DataCut",
     [](TestWriter& w) { w.tensor("t", kF32, {8}, 32).drop_at_end = 1; },
     kCorrupt,
     {"tensor 't'", "32 bytes", "has 31 bytes", "cut short"}},
    {"PaddingCut",
     [](TestWriter& w) {
       w.add("pad", std::string(5, 'p')).tensor("t", kF32, {8}, 32).drop_at_end = 33;
     },
     kCorrupt,
     {"padding before the tensors' data"}},
    {"LargerThanFile",
     [](TestWriter& w) { w.tensor("t", kF32, {std::uint64_t{1} << 40U}, 32); },
     kCorrupt,
     {"tensor 't'", "4398046511104 bytes"}},
    {"Overlap",
     [](TestWriter& w) { w.tensor("a", kF32, {16}, 64, 0).tensor("b", kF32, {8}, 32, 32); },
     kCorrupt,
     {"tensor 'b'", "offset 32", "inside tensor 'a'"}},
    {"SamePlace",
     [](TestWriter& w) { w.tensor("a", kF32, {8}, 32, 0).tensor("b", kF32, {8}, 32, 0); },
     kCorrupt,
     {"no overlap"}},
    {"SplitPart",
     [](TestWriter& w) {
       w.add("split.count", std::uint16_t{2}).add("split.no", std::uint16_t{0});
       w.add("split.tensors.count", std::int32_t{0});
     },
     ErrorCode::kInvalidArgument,
     {"part 1 of 2"}},
    {"SplitNumberTooLarge",
     [](TestWriter& w) {
       w.add("split.count", std::uint16_t{2}).add("split.no", std::uint16_t{2});
       w.add("split.tensors.count", std::int32_t{0});
     },
     kCorrupt,
     {"'split.no'", "2 found", "0 to 1"}},
    {"SplitWithoutNumber",
     [](TestWriter& w) { w.add("split.count", std::uint16_t{2}); },
     kCorrupt,
     {"'split.no' is missing"}},
    {"TemplateIsNoText",
     [](TestWriter& w) { w.add("tokenizer.chat_template", 1.0F); },
     kCorrupt,
     {"'tokenizer.chat_template'", "float32 found", "a string expected"}},
    {"TemplateListedButMissing",
     [](TestWriter& w) {
       w.add_array("tokenizer.chat_templates", std::vector<std::string>{"rag"});
     },
     kCorrupt,
     {"'tokenizer.chat_templates'", "'rag'"}},
};

constexpr auto kName = [](const ::testing::TestParamInfo<Refusal>& test) {
  return test.param.name;
};
INSTANTIATE_TEST_SUITE_P(Header, RefusalTest, ::testing::ValuesIn(kHeader), kName);
INSTANTIATE_TEST_SUITE_P(Metadata, RefusalTest, ::testing::ValuesIn(kMetadata), kName);
INSTANTIATE_TEST_SUITE_P(Alignment, RefusalTest, ::testing::ValuesIn(kAlignment), kName);
INSTANTIATE_TEST_SUITE_P(Tensors, RefusalTest, ::testing::ValuesIn(kTensors), kName);

}  // namespace
}  // namespace hangar::gguf
