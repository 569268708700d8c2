// The default model's tokenizer, as read from its GGUF, against Hugging Face's ids
// (tools/make_tokenizer_corpus.py).
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "formats/checkpoint.h"
#include "text/tokenizer.h"

namespace hangar {
namespace {

constexpr std::string_view kDefaultModel = "SmolLM2-135M-Instruct.Q4_1.gguf";

// Where `./dev fetch-model` puts it, unless HANGAR_TEST_MODEL names another place.
std::filesystem::path model_path() {
  if (const char* named = std::getenv("HANGAR_TEST_MODEL")) return named;
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != '\0') {
    return std::filesystem::path(cache) / "hangar/models" / kDefaultModel;
  }
  const char* home = std::getenv("HOME");
  return std::filesystem::path(home == nullptr ? "." : home) / ".cache/hangar/models" /
         kDefaultModel;
}

boost::json::value read_json(std::string_view name) {
  const auto path =
      std::filesystem::path(HANGAR_SOURCE_DIR) / "tests/data/tokenizer" / std::string(name);
  std::ifstream file(path, std::ios::binary);
  return boost::json::parse(
      std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()));
}

class TokenizerGolden : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto path = model_path();
    if (!std::filesystem::exists(path)) {
      GTEST_SKIP() << "no model at " << path << ": set HANGAR_TEST_MODEL, or run the tests by "
                   << "`./dev test`, which fetches it";
    }
    auto checkpoint = open_checkpoint(path);
    ASSERT_TRUE(checkpoint.has_value()) << checkpoint.error().message;
    auto spec = (*checkpoint)->tokenizer();
    ASSERT_TRUE(spec.has_value()) << spec.error().message;
    auto tokenizer = make_tokenizer(std::move(*spec));
    ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
    tokenizer_ = std::move(*tokenizer);
  }

  std::unique_ptr<const Tokenizer> tokenizer_;
};

TEST_F(TokenizerGolden, IdsAreThoseOfHuggingFaceOnTheCorpus) {
  const auto texts = boost::json::value_to<std::vector<std::string>>(read_json("texts.json"));
  const auto wanted =
      boost::json::value_to<std::vector<std::vector<TokenId>>>(read_json("smollm_ids.json"));
  ASSERT_EQ(texts.size(), wanted.size());
  ASSERT_GT(texts.size(), 2000U);
  // The vocabulary has no token for these bytes; a text without them comes back whole.
  constexpr std::string_view kWithoutToken = "\x04\x06\x13\x14\x16\x1D\xF1\xF2";
  std::size_t came_back = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto ids = tokenizer_->encode(texts[i], {.add_special = false});
    EXPECT_EQ(ids, wanted[i]) << "text " << i << ": " << texts[i];
    if (texts[i].find_first_of(kWithoutToken) != std::string::npos) continue;
    EXPECT_EQ(tokenizer_->decode(ids, /*keep_special=*/true), texts[i]);
    ++came_back;
  }
  EXPECT_GT(came_back, 1000U);
}

TEST_F(TokenizerGolden, TheFilesSpecialTokensAreKnown) {
  EXPECT_EQ(tokenizer_->vocabulary(), 49152);
  EXPECT_EQ(tokenizer_->find("<|im_start|>"), 1);
  EXPECT_TRUE(tokenizer_->is_special(2));
  // <|endoftext|> ends a turn as well as the file's own eos, <|im_end|>.
  EXPECT_EQ(tokenizer_->end_of_generation(), (std::vector<TokenId>{0, 2}));
  EXPECT_EQ(tokenizer_->encode("<|im_end|>", {.add_special = true}), std::vector<TokenId>{2});
  EXPECT_GT(tokenizer_->encode("<|im_end|>", {.parse_special = false}).size(), 1U);
}

}  // namespace
}  // namespace hangar
