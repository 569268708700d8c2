#include "text/stream_decoder.h"

#include <gtest/gtest.h>

#include "text/tokenizer_test_data.h"
#include "text/utf8.h"

namespace hangar {
namespace {

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

struct Case {
  std::string bytes;
  std::string text;
};

std::vector<Case> golden() {
  std::vector<Case> cases;
  const auto file = test::read_json("lossy_utf8.json");
  for (const auto& one : file.as_array()) {
    const auto pair = test::list_of<std::string>(one);
    cases.push_back({from_hex(pair[0]), from_hex(pair[1])});
  }
  return cases;
}

TEST(StreamDecoder, LossyDecodeIsAsPythonsDecoderHasIt) {
  const std::vector<Case> cases = golden();
  ASSERT_GT(cases.size(), 300U);
  for (const Case& one : cases) EXPECT_EQ(to_valid_utf8(one.bytes), one.text);
}

TEST(StreamDecoder, PiecesAreWholeAndJoinToTheSameHoweverTheBytesAreCut) {
  test::Random random(5);
  for (const Case& one : golden()) {
    for (int round = 0; round < 8; ++round) {
      StreamDecoder decoder;
      std::string joined;
      std::string_view rest = one.bytes;
      while (!rest.empty()) {
        const std::size_t take = std::min<std::size_t>(rest.size(), random.below(4));
        const std::string piece = decoder.push(rest.substr(0, take));
        EXPECT_EQ(valid_utf8_prefix(piece), piece.size());
        joined += piece;
        rest.remove_prefix(take);
      }
      joined += decoder.finish();
      EXPECT_EQ(joined, one.text);
      EXPECT_EQ(decoder.finish(), "");
    }
  }
}

TEST(StreamDecoder, ShowsACharacterAsSoonAsItIsWholeAndNoLater) {
  StreamDecoder decoder;
  EXPECT_EQ(decoder.push("a\xF0\x9F"), "a");
  EXPECT_EQ(decoder.push("\x98"), "");
  EXPECT_EQ(decoder.push("\x80"
                         "b"),
            "😀b");
  EXPECT_EQ(decoder.push("\xE4\xB8"), "");
  EXPECT_EQ(decoder.push("x"), "\uFFFDx");
  EXPECT_EQ(decoder.push("\xE4"), "");
  EXPECT_EQ(decoder.finish(), "\uFFFD");
}

}  // namespace
}  // namespace hangar
