#include "formats/gguf/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/gguf/ggml_types.h"
#include "formats/gguf/test_writer.h"

namespace hangar::gguf {
namespace {

using ::testing::ElementsAre;

std::string text_of(const TensorView& view) {
  return {reinterpret_cast<const char*>(view.data.data()), view.data.size()};
}

TEST(FileTest, TensorsKeepOrderShapeAndBytes) {
  TestWriter writer;
  writer.tensor_with("a", 0, {3, 2}, std::string(24, 'a'));
  writer.tensor_with("b", 3, {64, 2, 5, 1}, std::string(400, 'b'));
  writer.tensor_with("scalar", 26, {}, std::string(4, 'c'));
  const std::vector<std::byte> bytes = writer.bytes();
  const Result<File> file = parse_file(bytes, "f.gguf");
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_EQ(file->tensors.size(), 3U);
  EXPECT_EQ(file->tensors[0].name, "a");
  EXPECT_THAT(file->tensors[0].shape, ElementsAre(2, 3));  // outermost first
  EXPECT_EQ(text_of(file->tensors[0]), std::string(24, 'a'));
  EXPECT_EQ(file->tensors[1].dtype, DType::kQ4_1);
  EXPECT_THAT(file->tensors[1].shape, ElementsAre(1, 5, 2, 64));
  EXPECT_EQ(text_of(file->tensors[1]), std::string(400, 'b'));
  EXPECT_EQ(file->tensors[2].elements(), 1);
  EXPECT_EQ(text_of(file->tensors[2]), "cccc");
}

TEST(FileTest, EverySupportedTypeIsReadWithItsSize) {
  TestWriter writer;
  const std::vector<DType> dtypes = {
      DType::kF32,  DType::kF16,  DType::kBF16,   DType::kI32,    DType::kQ4_0, DType::kQ4_1,
      DType::kQ5_0, DType::kQ5_1, DType::kQ8_0,   DType::kQ2_K,   DType::kQ3_K, DType::kQ4_K,
      DType::kQ5_K, DType::kQ6_K, DType::kIQ4_NL, DType::kIQ4_XS, DType::kMXFP4};
  for (const DType dtype : dtypes) {
    writer.tensor(dtype_name(dtype), ggml_type_number(dtype), {512, 3}, 3 * row_bytes(dtype, 512));
  }
  const std::vector<std::byte> bytes = writer.bytes();
  const Result<File> file = parse_file(bytes, "f.gguf");
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_EQ(file->tensors.size(), dtypes.size());
  for (std::size_t i = 0; i < dtypes.size(); ++i) {
    EXPECT_EQ(file->tensors[i].dtype, dtypes[i]);
    EXPECT_EQ(file->tensors[i].name, dtype_name(dtypes[i]));
    EXPECT_EQ(file->tensors[i].data.size(), 3 * row_bytes(dtypes[i], 512));
  }
}

class AlignmentTest : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(AlignmentTest, DataStartsAndTensorsLieAtMultiples) {
  TestWriter writer;
  writer.alignment = GetParam();
  writer.add("general.alignment", GetParam());
  writer.tensor_with("a", 0, {1}, "aaaa").tensor_with("b", 0, {1}, "bbbb");
  const std::vector<std::byte> bytes = writer.bytes();
  const Result<File> file = parse_file(bytes, "f.gguf");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->alignment_bytes, GetParam());
  for (const TensorView& view : file->tensors) {
    EXPECT_EQ((view.data.data() - bytes.data()) % GetParam(), 0) << view.name;
  }
  EXPECT_EQ(text_of(file->tensors[0]), "aaaa");
  EXPECT_EQ(text_of(file->tensors[1]), "bbbb");
}

INSTANTIATE_TEST_SUITE_P(Powers, AlignmentTest, ::testing::Values(8U, 32U, 64U, 4096U));

TEST(FileTest, TensorsMayLieInAnyOrderWithGapsAndATail) {
  TestWriter writer;
  writer.tensor_with("late", 0, {1}, "zzzz", 64);
  writer.tensor_with("early", 0, {1}, "yyyy", 0);
  writer.tensor_with("end", 0, {1}, "xxxx", 32);
  const std::vector<std::byte> bytes = writer.bytes();
  const Result<File> file = parse_file(bytes, "f.gguf");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(text_of(file->tensors[0]), "xxxx");
  EXPECT_EQ(text_of(file->tensors[1]), "zzzz");
  EXPECT_EQ(text_of(file->tensors[2]), "yyyy");
}

TEST(FileTest, AVocabularyNeedsNoDataSection) {
  TestWriter writer;
  writer.add("general.architecture", std::string("llama"));
  const std::vector<std::byte> bytes = writer.bytes();
  const Result<File> file = parse_file(bytes, "f.gguf");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_TRUE(file->tensors.empty());
  EXPECT_EQ(file->metadata.entries().size(), 1U);
}

TEST(GgmlTypesTest, NumbersNamesAndTypesGoTogether) {
  EXPECT_EQ(find_ggml_type(17)->name, "IQ2_XS");
  EXPECT_EQ(find_ggml_type(34)->name, "TQ1_0");
  EXPECT_EQ(find_ggml_type(39)->name, "MXFP4");
  EXPECT_EQ(find_ggml_type(43), nullptr);
  for (std::uint32_t number = 0; find_ggml_type(number) != nullptr; ++number) {
    const GgmlType& type = *find_ggml_type(number);
    EXPECT_EQ(type.number, number);
    if (!type.dtype) continue;
    EXPECT_EQ(dtype_name(*type.dtype), type.name);
    EXPECT_EQ(ggml_type_number(*type.dtype), number);
    EXPECT_THAT(supported_ggml_types(), ::testing::HasSubstr(std::string(type.name)));
  }
}

}  // namespace
}  // namespace hangar::gguf
