#include "serve/prompt_bound.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "text/byte_spelling.h"

namespace hangar {
namespace {

// Bytes but for `missing`, and merges up to "aaaa".
TokenizerSpec byte_level_spec(int missing = -1) {
  TokenizerSpec spec;
  for (int byte = 0; byte < 256; ++byte) {
    const char character = static_cast<char>(byte);
    spec.tokens.push_back(byte == missing ? std::string("hole") : spell_bytes({&character, 1}));
  }
  spec.tokens.push_back(std::string("aa"));
  spec.tokens.push_back(std::string("aaaa"));
  spec.merges.add("a", "a");
  spec.merges.add("aa", "aa");
  PreTokenizerSpec bytes;
  bytes.kind = PreTokenizerKind::kByteLevel;
  bytes.use_regex = false;
  spec.pre_tokenizers.push_back(bytes);
  DecoderSpec decoder;
  decoder.kind = DecoderKind::kByteLevel;
  spec.decoders.push_back(decoder);
  return spec;
}

std::int64_t least(TokenizerSpec spec, std::size_t bytes) {
  const auto tokenizer = make_tokenizer(std::move(spec));
  EXPECT_TRUE(tokenizer) << tokenizer.error().message;
  return PromptBound(**tokenizer).least_tokens(std::string(bytes, 'b'));
}

TEST(PromptBoundTest, NoTextHasFewerTokens) {
  const auto tokenizer = make_tokenizer(byte_level_spec());
  ASSERT_TRUE(tokenizer);
  const PromptBound bound(**tokenizer);
  for (const std::string& text : {std::string(1000, 'a'), std::string(999, 'b'),
                                  std::string(500, '\xff'), std::string("aaaaa aaaa")}) {
    const auto ids = (*tokenizer)->encode(text, {});
    EXPECT_LE(bound.least_tokens(text), static_cast<std::int64_t>(ids.size()));
  }
  // Tight where the text is made of the longest token.
  EXPECT_EQ(bound.least_tokens(std::string(1000, 'a')), 250);
  EXPECT_EQ((*tokenizer)->encode(std::string(1000, 'a'), {}).size(), 250U);
}

// Vocabularies that were made from much text lack the bytes that did not occur in it.
TEST(PromptBoundTest, BytesWithoutATokenCountForNothing) {
  const auto tokenizer = make_tokenizer(byte_level_spec('x'));
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  const PromptBound bound(**tokenizer);
  const std::string text = std::string(1000, 'x') + std::string(400, 'a');
  EXPECT_EQ(bound.least_tokens(text), 100);
  EXPECT_EQ((*tokenizer)->encode(text, {}).size(), 100U);
}

TEST(PromptBoundTest, WhatNormalizersTakeAwayIsAllowedFor) {
  TokenizerSpec nfc = byte_level_spec();
  nfc.normalizers.push_back({.kind = NormalizerKind::kNfc});
  EXPECT_EQ(least(nfc, 1200), 100);
  TokenizerSpec strip = byte_level_spec();
  strip.normalizers.push_back({.kind = NormalizerKind::kStrip});
  EXPECT_EQ(least(strip, 1'000'000), 0);
  TokenizerSpec shorter = byte_level_spec();
  shorter.normalizers.push_back(
      {.kind = NormalizerKind::kReplace, .pattern = {.text = "ab"}, .content = ""});
  EXPECT_EQ(least(shorter, 1'000'000), 0);
}

TEST(PromptBoundTest, WhereTextCanVanishNothingIsSaid) {
  TokenizerSpec removed = byte_level_spec();
  PreTokenizerSpec split;
  split.kind = PreTokenizerKind::kWhitespaceSplit;
  removed.pre_tokenizers.insert(removed.pre_tokenizers.begin(), split);
  EXPECT_EQ(least(removed, 1'000'000), 0);
  TokenizerSpec greedy = byte_level_spec();
  greedy.tokens.push_back(std::string("<mask>"));
  greedy.added.push_back({.id = 258, .content = "<mask>", .special = true, .lstrip = true});
  EXPECT_EQ(least(greedy, 1'000'000), 0);
  TokenizerSpec no_bytes = byte_level_spec();
  no_bytes.pre_tokenizers.clear();
  EXPECT_EQ(least(no_bytes, 1'000'000), 0);
}

}  // namespace
}  // namespace hangar
