#include "eval/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace hangar {
namespace {

using ::testing::ElementsAre;

// A token a byte, 7 for "<x>" where special tokens are parsed, 1 before and 2 after where they are
// added.
class ByteTokenizer final : public Tokenizer {
 public:
  explicit ByteTokenizer(bool bos) {
    using Kind = TemplatePiece::Kind;
    if (bos) spec_.single.push_back({Kind::kToken, 1, 0});
    spec_.single.push_back({Kind::kSequenceA, 0, 0});
    spec_.single.push_back({Kind::kToken, 2, 0});
    bos_ = bos;
  }
  std::vector<TokenId> encode(std::string_view text, EncodeOptions options) const override {
    std::vector<TokenId> ids;
    if (options.add_special && bos_) ids.push_back(1);
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (options.parse_special && text.substr(i).starts_with("<x>")) {
        ids.push_back(7);
        i += 2;
      } else {
        ids.push_back(static_cast<unsigned char>(text[i]));
      }
    }
    if (options.add_special) ids.push_back(2);
    return ids;
  }
  Encoding encode_pair(std::string_view, std::string_view, EncodeOptions) const override {
    return {};
  }
  std::string_view token_bytes(TokenId) const override { return ""; }
  bool is_special(TokenId id) const override { return id < 8; }
  bool ends_generation(TokenId) const override { return false; }
  std::vector<TokenId> end_of_generation() const override { return {}; }
  std::optional<TokenId> find(std::string_view) const override { return std::nullopt; }
  std::int32_t vocabulary() const override { return 256; }
  const TokenizerSpec& spec() const override { return spec_; }

 private:
  TokenizerSpec spec_;
  bool bos_ = false;
};

TEST(EvalTextTest, WindowsTakeBosAloneAndNamesOfControlTokensAsText) {
  const EvalText text = tokens_for_windows(ByteTokenizer(true), "a<x>\n");
  EXPECT_THAT(text.tokens, ElementsAre(1, 'a', '<', 'x', '>'));
  EXPECT_EQ(text.first_token, 1);
  EXPECT_THAT(tokens_for_windows(ByteTokenizer(true), "a\n\n").tokens, ElementsAre(1, 'a', '\n'));
}

TEST(EvalTextTest, WithoutBosWindowsAreTheTextAlone) {
  const EvalText text = tokens_for_windows(ByteTokenizer(false), "a\xFF");
  EXPECT_THAT(text.tokens, ElementsAre('a', 0xFF));
  EXPECT_EQ(text.first_token, std::nullopt);
  EXPECT_TRUE(tokens_for_windows(ByteTokenizer(false), "").tokens.empty());
}

TEST(EvalTextTest, StridesTakeAllThatTheTokenizerAdds) {
  const EvalText text = tokens_for_strides(ByteTokenizer(true), "a<x>\n");
  EXPECT_THAT(text.tokens, ElementsAre(1, 'a', 7, '\n', 2));
  EXPECT_EQ(text.first_token, std::nullopt);
}

}  // namespace
}  // namespace hangar
