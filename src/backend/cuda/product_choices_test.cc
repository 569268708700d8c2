// What was measured, and the file that keeps it: no card is needed.
#include "backend/cuda/product_choices.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <vector>

namespace hangar::cuda {
namespace {

TEST(RowBucketTest, TakesTheNextLarger) {
  EXPECT_EQ(row_bucket(1), 1);
  EXPECT_EQ(row_bucket(3), 4);
  EXPECT_EQ(row_bucket(17), 24);
  EXPECT_EQ(row_bucket(1025), 2048);
  EXPECT_EQ(row_bucket(8192), 8192);
  EXPECT_EQ(row_bucket(100000), 8192);
  for (std::int64_t rows = 1; rows < 8192; ++rows) EXPECT_GE(row_bucket(rows), rows);
}

class ProductChoicesTest : public ::testing::Test {
 protected:
  ProductChoicesTest() {
    for (std::size_t i = 0; i < 8; ++i) choice_.algorithm.data[i] = 0x123456789ABCDEFU * (i + 1);
    choice_.tiles = {48, 4, 224, 1};
    choice_.int4 = {2, 4, 8, 112, 7};
    choice_.fp8_direct = {3, 4, 16, 224};
    choice_.us = 12.5;
  }
  ~ProductChoicesTest() override { std::filesystem::remove(path_); }

  std::string text() const {
    std::ifstream file(path_);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::filesystem::path path_ =
      std::filesystem::temp_directory_path() / fmt::format("hangar_algorithms_test_{}", getpid());
  ProductKey key_{4096, 14336, 64, DType::kBF16, DType::kBF16, DType::kF32, true, false};
  ProductChoice choice_;
};

TEST_F(ProductChoicesTest, AFileTellsAllKeysApart) {
  const std::vector<ProductKey> keys = {
      key_,
      {.outputs = 8, .columns = 128, .bucket = 2, .type = DType::kF16, .y_type = DType::kF16},
      {.outputs = 8, .columns = 128, .bucket = 2, .weight_type = DType::kF8E4M3},
      {.outputs = 8, .columns = 128, .bucket = 2, .gated = true},
      {.outputs = 8, .columns = 128, .bucket = 2, .leaves_room = true},
      {.outputs = 8, .columns = 128, .bucket = 2, .int4 = 2},
      {.outputs = 8, .columns = 128, .bucket = 2, .int4 = 2, .copy = 1},
      {.outputs = 8, .columns = 128, .bucket = 2, .int4 = 2, .copy = 2},
      {.outputs = 8, .columns = 128, .bucket = 2, .fast_sums = true},
  };
  ProductChoices made;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    choice_.us = 1.0 + static_cast<double>(i);
    made.set(keys[i], choice_);
  }
  ASSERT_TRUE(made.save(path_, "card A").has_value());
  ProductChoices read;
  read.load(path_, "card A");
  ASSERT_EQ(read.size(), keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const ProductChoice* choice = read.find(keys[i]);
    ASSERT_NE(choice, nullptr) << i;
    EXPECT_DOUBLE_EQ(choice->us, 1.0 + static_cast<double>(i));
  }
}

TEST_F(ProductChoicesTest, AFileGivesBackWhatWasMeasured) {
  ProductChoices made;
  made.set(key_, choice_);
  ProductKey guessed = key_;
  guessed.bucket = 8;
  made.set(guessed, {.algorithm = choice_.algorithm});
  ASSERT_TRUE(made.save(path_, "card A").has_value());
  ProductChoices read;
  read.load(path_, "card A");
  EXPECT_EQ(read.size(), 1U);  // what was only guessed is not kept
  const ProductChoice* choice = read.find(key_);
  ASSERT_NE(choice, nullptr);
  EXPECT_DOUBLE_EQ(choice->us, 12.5);
  EXPECT_EQ(choice->tiles, (TileWay{48, 4, 224, 1}));
  EXPECT_EQ(choice->int4, (Int4Way{2, 4, 8, 112, 7}));
  EXPECT_EQ(choice->fp8_direct, (Fp8DirectWay{3, 4, 16, 224}));
  EXPECT_THAT(choice->algorithm.data, ::testing::ElementsAreArray(choice_.algorithm.data));
  ProductKey other = key_;
  other.add = false;
  EXPECT_EQ(read.find(other), nullptr);
  other = key_;
  other.fast_sums = true;
  EXPECT_EQ(read.find(other), nullptr);
  made.set(other, choice_);
  ASSERT_TRUE(made.save(path_, "card A").has_value());
  read.load(path_, "card A");
  EXPECT_NE(read.find(other), nullptr);
}

TEST_F(ProductChoicesTest, AnothersFileAndDamagedLinesAreLeft) {
  ProductChoices made;
  made.set(key_, choice_);
  ASSERT_TRUE(made.save(path_, "card A").has_value());
  ProductChoices other;
  other.load(path_, "card B");
  EXPECT_EQ(other.size(), 0U);
  other.load(path_.string() + ".none", "card A");
  EXPECT_EQ(other.size(), 0U);
  const std::string whole = text();
  const std::size_t line = whole.find("4096");
  ASSERT_NE(line, std::string::npos);
  for (std::size_t at = line; at + 1 < whole.size(); at += 5) {
    std::string damaged = whole;
    damaged[at] = damaged[at] == '7' ? '8' : '7';
    std::ofstream(path_) << damaged;
    ProductChoices read;
    read.load(path_, "card A");
    EXPECT_EQ(read.size(), 0U) << damaged;
    std::ofstream(path_) << whole.substr(0, at);
    read.load(path_, "card A");
    EXPECT_EQ(read.size(), 0U) << whole.substr(0, at);
  }
}

}  // namespace
}  // namespace hangar::cuda
