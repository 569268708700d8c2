#include "text/pre_tokenizer_stages.h"

#include <gtest/gtest.h>

#include "text/pre_tokenizer_chain.h"
#include "text/stage_test_data.h"

namespace hangar {
namespace {

TEST(PreTokenizerStages, CutAsHuggingFaceDoes) {
  const auto texts = test::list_of<std::string>(test::stages_json().at("texts"));
  const auto& rows = test::stages_json().at("pre_tokenizers").as_array();
  ASSERT_GT(rows.size(), 40U);
  for (const auto& row : rows) {
    const auto chain = PreTokenizerChain::build(
        test::all_of(row.at("stages"), test::pre_tokenizer_of), /*spell_last=*/true);
    ASSERT_TRUE(chain.has_value()) << chain.error().message;
    const auto& wanted = row.at("out").as_array();
    ASSERT_EQ(wanted.size(), texts.size());
    auto scratch = chain->make_scratch();
    for (std::size_t i = 0; i < texts.size(); ++i) {
      std::vector<std::string> pieces;
      chain->cut(texts[i], /*at_start=*/true, scratch,
                 [&](std::string_view piece) { pieces.emplace_back(piece); });
      EXPECT_EQ(pieces, test::list_of<std::string>(wanted[i]))
          << row.at("stages") << " of text " << i << ": " << texts[i];
    }
  }
}

TEST(PreTokenizerStages, SayWhatIsWrong) {
  const auto code = [](const PreTokenizerSpec& spec) {
    const auto stage = make_pre_tokenizer_stage(spec, /*spell_bytes=*/true);
    EXPECT_FALSE(stage.has_value());
    return stage ? ErrorCode::kInternal : stage.error().code;
  };
  using Kind = PreTokenizerKind;
  EXPECT_EQ(code({.kind = Kind::kCharDelimiter, .pattern = {.text = "ab"}}), ErrorCode::kCorrupt);
  EXPECT_EQ(code({.kind = Kind::kCharDelimiter}), ErrorCode::kCorrupt);
  EXPECT_EQ(code({.kind = Kind::kMetaspace, .replacement = ""}), ErrorCode::kCorrupt);
  EXPECT_EQ(code({.kind = Kind::kFixedLength, .length = 0}), ErrorCode::kCorrupt);
  EXPECT_EQ(code({.kind = Kind::kSplit, .pattern = {.text = "(?~a)", .regex = true}}),
            ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace hangar
