#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "text/post_processor.h"
#include "text/tokenizer_test_data.h"
#include "text/utf8.h"

namespace hangar {
namespace {

using Ids = std::vector<TokenId>;
using TokenizerPtr = std::unique_ptr<const Tokenizer>;

constexpr Tokenizer::EncodeOptions kPlain = {.add_special = false, .parse_special = false};
constexpr Tokenizer::EncodeOptions kSpecial = {.add_special = false, .parse_special = true};

TokenizerPtr made(TokenizerSpec spec) {
  auto tokenizer = make_tokenizer(std::move(spec));
  EXPECT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
  return tokenizer ? std::move(*tokenizer) : nullptr;
}

Error refused(TokenizerSpec spec) {
  const auto tokenizer = make_tokenizer(std::move(spec));
  EXPECT_FALSE(tokenizer.has_value());
  return tokenizer ? Error{} : tokenizer.error();
}

// A byte vocabulary with "ab", "abc" and special tokens.
TokenizerSpec small_spec() {
  TokenizerSpec spec = test::byte_spec("gpt-2");
  spec.tokens.append({"ab", "abc", "<|im_start|>", "<|im_end|>", "[x]", "<unk>"});
  test::add_merge("a b", spec);
  test::add_merge("ab c", spec);
  spec.kinds.assign(spec.tokens.size(), TokenKind::kNormal);
  spec.kinds[258] = spec.kinds[259] = TokenKind::kControl;
  spec.kinds[260] = TokenKind::kUserDefined;
  spec.kinds[261] = TokenKind::kUnknown;
  spec.added = added_tokens_of_kinds(spec);
  spec.bos = 258;
  spec.eos = 259;
  return spec;
}

void expect_golden(std::string_view entry, std::string_view pre_tokenizer,
                   Tokenizer::EncodeOptions options, const char* file = "tiny_bpe.json") {
  const auto tiny = test::read_json("tiny_bpe.json");
  const auto texts = test::corpus_texts();
  const TokenizerPtr tokenizer = made(test::tiny_spec(tiny, pre_tokenizer));
  ASSERT_NE(tokenizer, nullptr);
  const bool normalizes = !tokenizer->spec().normalizers.empty();
  const auto all = test::read_json(file);
  const auto& wanted = all.at(entry).as_array();
  ASSERT_GT(wanted.size(), 100U);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const Ids ids = tokenizer->encode(texts[i], options);
    EXPECT_EQ(ids, test::list_of<TokenId>(wanted[i])) << "text " << i << ": " << texts[i];
    if (!normalizes) {
      EXPECT_EQ(tokenizer->decode(ids, /*keep_special=*/true), texts[i]);
    }
  }
}

class TinyVocabulary : public ::testing::TestWithParam<std::string_view> {};

TEST_P(TinyVocabulary, IdsAreThoseOfHuggingFace) {
  expect_golden(GetParam(), GetParam(), kSpecial);
}

INSTANTIATE_TEST_SUITE_P(All, TinyVocabulary,
                         ::testing::Values("gpt-2", "smollm", "llama-bpe", "qwen2", "qwen35",
                                           "gpt-4o", "tekken"),
                         [](const auto& parameter) {
                           std::string name(parameter.param);
                           std::erase(name, '-');
                           return name;
                         });

class SeveralStages : public ::testing::TestWithParam<std::string_view> {};

TEST_P(SeveralStages, IdsAreThoseOfHuggingFace) {
  expect_golden(GetParam(), GetParam(), kSpecial, "tiny_bpe_more.json");
}

INSTANTIATE_TEST_SUITE_P(All, SeveralStages,
                         ::testing::Values("mpt", "command-r", "falcon", "deepseek-llm",
                                           "deepseek-coder", "deepseek-v3"),
                         [](const auto& parameter) {
                           std::string name(parameter.param);
                           std::erase(name, '-');
                           return name;
                         });

TEST(Tokenizer, ControlTokensInTextStayTextWithoutParseSpecial) {
  expect_golden("gpt-2 without control tokens", "gpt-2", kPlain);
}

TEST(Tokenizer, BosAndEosAreAddedWhereTheFileAsksAndTheCallerDoes) {
  TokenizerSpec spec = small_spec();
  const auto encode = [](const TokenizerSpec& from, bool add_special) {
    return made(from)->encode("abc", {.add_special = add_special});
  };
  EXPECT_EQ(encode(spec, true), Ids{257});
  wrap_in_bos_eos(true, false, spec);
  EXPECT_EQ(encode(spec, true), (Ids{258, 257}));
  wrap_in_bos_eos(true, true, spec);
  EXPECT_EQ(encode(spec, true), (Ids{258, 257, 259}));
  EXPECT_EQ(encode(spec, false), Ids{257});
}

TEST(Tokenizer, UserDefinedTokensAreFoundAlwaysControlTokensOnDemand) {
  const TokenizerPtr tokenizer = made(small_spec());
  EXPECT_EQ(tokenizer->encode("ab[x]ab<|im_end|>", kSpecial), (Ids{256, 260, 256, 259}));
  const Ids plain = tokenizer->encode("ab[x]<|im_end|>", kPlain);
  EXPECT_EQ(Ids(plain.begin(), plain.begin() + 2), (Ids{256, 260}));
  EXPECT_EQ(plain.size(), 2 + std::string_view("<|im_end|>").size());
  EXPECT_EQ(tokenizer->encode("<unk>", kSpecial).size(), 5U);
}

TEST(Tokenizer, KeepsNoTextOfItsMerges) {
  const TokenizerPtr tokenizer = made(small_spec());
  EXPECT_TRUE(tokenizer->spec().merges.empty());
  EXPECT_EQ(tokenizer->encode("abcab", kPlain), (Ids{257, 256}));
}

TEST(Tokenizer, DecodeLeavesOutSpecialTokensUnlessAsked) {
  const TokenizerPtr tokenizer = made(small_spec());
  const Ids ids = {258, 257, 260, 261, 259, -1, 100000};
  EXPECT_EQ(tokenizer->decode(ids), "abc[x]");
  EXPECT_EQ(tokenizer->decode(ids, true), "<|im_start|>abc[x]<unk><|im_end|>");
  EXPECT_TRUE(tokenizer->is_special(258));
  EXPECT_TRUE(tokenizer->is_special(261));
  EXPECT_FALSE(tokenizer->is_special(260));
  EXPECT_FALSE(tokenizer->is_special(-1));
  EXPECT_EQ(tokenizer->token_bytes(-1), "");
  EXPECT_EQ(tokenizer->token_bytes(262), "");
  EXPECT_EQ(tokenizer->token_bytes(' '), " ");
  EXPECT_EQ(tokenizer->vocabulary(), 262);
  EXPECT_EQ(tokenizer->find("Ġ"), ' ');
  EXPECT_EQ(tokenizer->find("no such"), std::nullopt);
}

TEST(Tokenizer, EndOfGenerationTakesTheFilesIdsAndTheKnownTurnEnds) {
  TokenizerSpec spec = small_spec();
  spec.eos = 5;
  spec.end_of_generation = {7, 5};
  spec.tokens.append({"<|eot_id|>", "<|endoftext|>", "<|other|>"});
  spec.kinds.insert(spec.kinds.end(),
                    {TokenKind::kControl, TokenKind::kNormal, TokenKind::kControl});
  const TokenizerPtr tokenizer = made(spec);
  EXPECT_EQ(tokenizer->end_of_generation(), (Ids{5, 7, 259, 262}));
  EXPECT_TRUE(tokenizer->ends_generation(262));
  EXPECT_FALSE(tokenizer->ends_generation(263));  // a normal token spelled like one
  EXPECT_FALSE(tokenizer->ends_generation(258));
}

TEST(Tokenizer, AnyBytesComeBack) {
  const auto tiny = test::read_json("tiny_bpe.json");
  test::Random random(31);
  for (const std::string_view name : {"gpt-2", "smollm", "llama-bpe", "gpt-4o", "tekken"}) {
    const TokenizerPtr tokenizer = made(test::tiny_spec(tiny, name));
    for (int round = 0; round < 1500; ++round) {
      std::string bytes;
      for (std::uint32_t n = random.below(80); n > 0; --n) {
        // Raw bytes, and characters cut short, among letters and spaces.
        static constexpr std::string_view kPool =
            "ab  \n1'\xE4\xB8\xAD\xC3\xA9\xF0\x9F\x98\x80\xFF";
        bytes.push_back(random.below(3) == 0 ? static_cast<char>(random.below(256))
                                             : kPool[random.below(kPool.size())]);
      }
      for (const auto options : {kPlain, kSpecial}) {
        ASSERT_EQ(tokenizer->decode(tokenizer->encode(bytes, options), true), bytes);
      }
    }
  }
}

TEST(Tokenizer, QwenBringsTextToNfcAndBrokenBytesStay) {
  const auto tiny = test::read_json("tiny_bpe.json");
  const TokenizerPtr tokenizer = made(test::tiny_spec(tiny, "qwen2"));
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("e\u0301\xFF"
                                                "a\u030A\xE4\xB8",
                                                kSpecial)),
            "é\xFFå\xE4\xB8");
}

TEST(Tokenizer, BrokenBytesAreTakenOneByOne) {
  TokenizerSpec spec = test::byte_spec("gpt-2");
  spec.tokens.push_back(spell_bytes("\xFF\xFE"));
  test::add_merge(spell_bytes("\xFF") + " " + spell_bytes("\xFE"), spec);
  EXPECT_EQ(made(spec)->encode("a\xFF\xFE"
                               "b",
                               kPlain),
            (Ids{'a', 0xFF, 0xFE, 'b'}));
}

TEST(Tokenizer, AByteWithoutATokenGivesNoneAndItsNeighboursMeet) {
  TokenizerSpec spec = small_spec();
  spec.tokens.set(4, "<gone>");
  const TokenizerPtr tokenizer = made(spec);
  EXPECT_EQ(tokenizer->encode("\x04\x04", kPlain), Ids{});
  EXPECT_EQ(tokenizer->encode("a\x04", kPlain), Ids{'a'});
}

TEST(Tokenizer, OfTwoTokensWithOneTextTheFirstIsMeant) {
  TokenizerSpec spec = small_spec();
  spec.tokens.push_back("ab");
  spec.kinds.push_back(TokenKind::kNormal);
  const TokenizerPtr tokenizer = made(spec);
  EXPECT_EQ(tokenizer->encode("ab", kPlain), Ids{256});
  EXPECT_EQ(tokenizer->find("ab"), 256);
  EXPECT_EQ(tokenizer->token_bytes(262), "ab");
}

TEST(Tokenizer, ATokenThatNoMergeReachesIsTakenOnlyWhereMergesAreIgnored) {
  TokenizerSpec spec = small_spec();
  spec.tokens.push_back("whole");
  spec.kinds.push_back(TokenKind::kNormal);
  for (int round = 0; round < 2; ++round) {  // the memo must not change the answer
    EXPECT_EQ(made(spec)->encode("whole whole", kPlain).size(), 11U);
  }
  test::apply("llama-bpe", spec);
  EXPECT_EQ(made(spec)->encode("whole", kPlain), Ids{262});
}

TEST(Tokenizer, KindsThatAreNotNormalKeepTheirOwnText) {
  TokenizerSpec spec = test::byte_spec("gpt-2");
  spec.tokens.append({"Ġa", "Ġb", "<0x0A>", "<0xZZ>", "中"});
  spec.kinds.assign(spec.tokens.size(), TokenKind::kNormal);
  spec.kinds[257] = TokenKind::kUserDefined;
  spec.kinds[258] = spec.kinds[259] = TokenKind::kByte;
  const TokenizerPtr tokenizer = made(spec);
  EXPECT_EQ(tokenizer->token_bytes(256), " a");
  EXPECT_EQ(tokenizer->token_bytes(257), " b");
  EXPECT_EQ(tokenizer->token_bytes(258), "\n");
  EXPECT_EQ(tokenizer->token_bytes(259), "<0xZZ>");
  EXPECT_EQ(tokenizer->token_bytes(260), "中");  // not in byte spelling: as it stands
}

TEST(MakeTokenizer, SaysWhatIsWrong) {
  TokenizerSpec spec = small_spec();
  const Status unknown = apply_pre_tokenizer("no-such\n", spec);
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ(unknown.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(unknown.error().message.find("\"no-such?\""), std::string::npos);
  EXPECT_NE(unknown.error().message.find("smollm"), std::string::npos);

  const auto expect_corrupt = [](TokenizerSpec broken, std::string_view words) {
    const Error error = refused(std::move(broken));
    EXPECT_EQ(error.code, ErrorCode::kCorrupt);
    EXPECT_NE(error.message.find(words), std::string::npos) << error.message;
    EXPECT_EQ(valid_utf8_prefix(error.message), error.message.size());
  };
  for (const auto& [left, right] : {std::pair{"", "ab"}, std::pair{"ab", ""}, std::pair{"", ""}}) {
    spec = small_spec();
    spec.merges.add(left, right);
    expect_corrupt(spec, "merge 2");
  }
  for (const char* merge : {"zz a", "a zz", "b c", "\xFF\xFF \xFE"}) {
    spec = small_spec();
    spec.merges.clear();
    test::add_merge(merge, spec);
    expect_corrupt(spec, "merge 0");
  }
  spec = small_spec();
  test::add_merge(std::string(100000, 'x') + " y", spec);
  EXPECT_LT(refused(spec).message.size(), 400U);

  spec = small_spec();
  spec.kinds.pop_back();
  expect_corrupt(spec, "261 token kinds for 262 tokens");
  for (const TokenId id : {-1, 262, INT32_MIN, INT32_MAX}) {
    spec = small_spec();
    spec.bos = id;
    expect_corrupt(spec, "bos is ");
    spec = small_spec();
    spec.eos = id;
    expect_corrupt(spec, "eos is ");
    spec = small_spec();
    spec.unknown = id;
    expect_corrupt(spec, "unknown is ");
    spec = small_spec();
    spec.padding = id;
    expect_corrupt(spec, "padding is ");
    spec = small_spec();
    spec.end_of_generation = {1, id};
    expect_corrupt(spec, "end_of_generation is ");
  }
  spec = small_spec();
  wrap_in_bos_eos(true, false, spec);
  spec.single[0].token = 262;
  expect_corrupt(spec, "names token 262, but there are 262");
  expect_corrupt(TokenizerSpec{}, "empty");
}

TEST(Tokenizer, LongRowsOfOneLetterTakeNoQuadraticTime) {
  const auto tiny = test::read_json("tiny_bpe.json");
  const TokenizerPtr tokenizer = made(test::tiny_spec(tiny, "smollm"));
  for (const char* unit : {"a", " ", "=", "\xFF", "\u0301", "<|"}) {
    std::string text;
    while (text.size() < 500'000) text += unit;
    const auto start = std::chrono::steady_clock::now();
    const Ids ids = tokenizer->encode(text, kSpecial);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10)) << unit;
    EXPECT_EQ(tokenizer->decode(ids), text);
  }
}

TEST(Tokenizer, ManyThreadsGetTheSameIds) {
  const auto tiny = test::read_json("tiny_bpe.json");
  const auto texts = test::corpus_texts();
  const TokenizerPtr tokenizer = made(test::tiny_spec(tiny, "gpt-2"));
  const TokenizerPtr alone = made(test::tiny_spec(tiny, "gpt-2"));
  std::vector<Ids> wanted;
  for (const auto& text : texts) wanted.push_back(alone->encode(text, kSpecial));
  std::vector<int> wrong(4, 0);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = 0; i < texts.size(); ++i) {
        if (tokenizer->encode(texts[i], kSpecial) != wanted[i]) ++wrong[t];
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

}  // namespace
}  // namespace hangar
