// Right files made wrong by chance: cut anywhere, bytes flipped. An error or a whole checkpoint
// comes out, never a crash (the sanitizers watch).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <random>

#include "base/mapped_file.h"
#include "formats/gguf/checkpoint.h"

namespace hangar::gguf {
namespace {

using ::testing::HasSubstr;

MappedFile tiny_llama() {
  auto file = MappedFile::open(std::string(HANGAR_SOURCE_DIR) + "/tests/data/gguf/tiny_llama.gguf");
  if (!file) {
    ADD_FAILURE() << file.error().message;
    return {};
  }
  return std::move(*file);
}

// Reads all that a checkpoint has; true if it opened.
bool use(std::span<const std::byte> bytes) {
  const auto opened = open_gguf_bytes(bytes, "d.gguf");
  if (!opened) {
    EXPECT_THAT(opened.error().message, HasSubstr("d.gguf"));
    const bool clean = std::none_of(opened.error().message.begin(), opened.error().message.end(),
                                    [](char c) { return (c >= 0 && c < 0x20) || c == 0x7F; });
    EXPECT_TRUE(clean) << opened.error().message;
    return false;
  }
  const Checkpoint& checkpoint = **opened;
  for (const TensorView& view : checkpoint.tensors()) {
    const std::byte* begin = view.data.data();
    EXPECT_TRUE(begin >= bytes.data() && begin + view.data.size() <= bytes.data() + bytes.size());
    EXPECT_EQ(view.data.size(), row_bytes(view.dtype, view.elements()));
  }
  const auto config = checkpoint.config();
  EXPECT_TRUE(config || !config.error().message.empty());
  const auto spec = checkpoint.tokenizer();
  EXPECT_TRUE(!spec || !spec->tokens.empty());
  EXPECT_FALSE(checkpoint.metadata().empty() && !checkpoint.chat_templates().empty());
  return true;
}

// The fuzzer starts from these: seeds that are refused at once would teach it nothing.
TEST(DamagedTest, FuzzerSeedsAreRightFiles) {
  const std::filesystem::path folder = std::string(HANGAR_SOURCE_DIR) + "/tests/fuzz/corpus/gguf";
  int seeds = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const auto file = MappedFile::open(entry.path());
    ASSERT_TRUE(file) << file.error().message;
    const auto opened = open_gguf_bytes(file->bytes(), entry.path().string());
    const bool is_part = entry.path().filename() == "split.gguf";
    EXPECT_EQ(opened.has_value(), !is_part) << entry.path();
    if (!opened) {
      EXPECT_THAT(opened.error().message, HasSubstr("part 1 of 2"));
    }
    ++seeds;
  }
  EXPECT_GE(seeds, 5);
}

TEST(DamagedTest, EveryCutIsAnError) {
  const MappedFile file = tiny_llama();
  // Cut into a buffer of just that size, so that a read past the end is seen.
  for (std::size_t length = 0; length < file.bytes().size(); ++length) {
    const std::vector<std::byte> cut(file.bytes().begin(),
                                     file.bytes().begin() + static_cast<std::ptrdiff_t>(length));
    const bool opened = use(cut);
    if (opened) {  // only the padding after the last tensor may go
      EXPECT_GE(length + 32, file.bytes().size());
    }
  }
  EXPECT_TRUE(use(file.bytes()));
}

TEST(DamagedTest, FlippedBytesNeverCrash) {
  const MappedFile file = tiny_llama();
  std::mt19937 random(11);
  // Metadata and tensor list; the numbers after them can be anything.
  const std::size_t header = std::min<std::size_t>(file.bytes().size(), 3200);
  std::uniform_int_distribution<std::size_t> place(0, header - 1);
  std::uniform_int_distribution<int> value(0, 255);
  std::uniform_int_distribution<int> flips(1, 3);
  int opened = 0;
  int refused = 0;
  for (int round = 0; round < 5000; ++round) {
    std::vector<std::byte> damaged(file.bytes().begin(), file.bytes().end());
    for (int n = flips(random); n > 0; --n) {
      damaged[place(random)] = static_cast<std::byte>(value(random));
    }
    ++(use(damaged) ? opened : refused);
  }
  EXPECT_GT(refused, 500);
  EXPECT_GT(opened, 50);  // a letter of a string changed is still a file
}

// Numbers of 8 bytes are where counts, lengths and offsets live.
TEST(DamagedTest, ExtremeNumbersAnywhereNeverCrash) {
  const MappedFile file = tiny_llama();
  const std::size_t header = std::min<std::size_t>(file.bytes().size() - 8, 3200);
  int refused = 0;
  for (const std::uint64_t extreme :
       {std::uint64_t{0}, std::uint64_t{UINT64_MAX}, std::uint64_t{INT64_MAX},
        std::uint64_t{1} << 32U, std::uint64_t{0x7FFFFFFF}}) {
    for (std::size_t at = 0; at < header; at += 2) {
      std::vector<std::byte> damaged(file.bytes().begin(), file.bytes().end());
      std::memcpy(damaged.data() + at, &extreme, 8);
      refused += !use(damaged);
    }
  }
  EXPECT_GT(refused, 1000);
}

std::filesystem::path default_model() {
  if (const char* path = std::getenv("HANGAR_TEST_MODEL")) return path;
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  const std::filesystem::path base = cache != nullptr && *cache != '\0'
                                         ? std::filesystem::path(cache)
                                     : home != nullptr ? std::filesystem::path(home) / ".cache"
                                                       : std::filesystem::path();
  return base / "hangar" / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf";
}

class DefaultModelTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(default_model())) {
      GTEST_SKIP() << "the default model is not there: " << default_model();
    }
    auto file = MappedFile::open(default_model());
    ASSERT_TRUE(file) << file.error().message;
    file_ = std::move(*file);
  }
  MappedFile file_;
};

TEST_F(DefaultModelTest, OpensWholeAndIsAnErrorCutAtEachFiftieth) {
  const std::span<const std::byte> bytes = file_.bytes();
  EXPECT_TRUE(open_gguf_bytes(bytes, "d.gguf"));
  for (std::size_t i = 0; i < 50; ++i) {
    const auto cut = open_gguf_bytes(bytes.first(bytes.size() / 50 * i), "d.gguf");
    ASSERT_FALSE(cut) << i;
    EXPECT_EQ(cut.error().code, ErrorCode::kCorrupt) << cut.error().message;
    EXPECT_THAT(cut.error().message, HasSubstr("cut short"));
  }
}

TEST_F(DefaultModelTest, IsWhatItsCardSays) {
  const auto opened = open_gguf(std::move(file_));
  ASSERT_TRUE(opened) << opened.error().message;
  const Checkpoint& checkpoint = **opened;
  const auto config = checkpoint.config();
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->architecture, "llama");
  EXPECT_EQ(config->layers, 30);
  EXPECT_EQ(config->hidden, 576);
  EXPECT_EQ(config->heads, 9);
  EXPECT_EQ(config->kv_heads, 3);
  EXPECT_EQ(config->head_dim, 64);
  EXPECT_EQ(config->vocabulary, 49152);
  EXPECT_EQ(config->context_tokens, 8192);
  EXPECT_EQ(config->license, "apache-2.0");
  EXPECT_TRUE(config->tied_embeddings);
  EXPECT_EQ(config->rope.base, 100000.0F);
  const auto spec = checkpoint.tokenizer();
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_EQ(spec->pre_tokenizers.size(), 2U);
  EXPECT_EQ(spec->merges.size(), 48900U);
  EXPECT_EQ(spec->bos, 1);
  EXPECT_EQ(spec->eos, 2);
  EXPECT_TRUE(spec->single.empty());
  EXPECT_EQ(checkpoint.tensors().size(), 272U);
  EXPECT_EQ(checkpoint.find("blk.29.ffn_down.weight")->dtype, DType::kQ4_1);
  EXPECT_EQ(checkpoint.chat_templates().size(), 1U);
}

}  // namespace
}  // namespace hangar::gguf
