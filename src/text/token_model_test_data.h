// What the tests of token models share.
//
// Promise: a spec becomes its model, or the error of making it; nothing here throws on a bad spec.
// Threads: as what they make.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/token_model.h"
#include "text/tokenizer_test_data.h"

namespace hangar::test {

// A model with the vocabulary it needs, and one Scratch for all calls.
class ModelUnderTest {
 public:
  explicit ModelUnderTest(TokenizerSpec spec) {
    auto vocabulary = Vocabulary::build(std::move(spec));
    EXPECT_TRUE(vocabulary.has_value());
    vocabulary_ = std::make_unique<Vocabulary>(*std::move(vocabulary));
    const TokenizerModel kind = vocabulary_->spec().model;
    auto model = kind == TokenizerModel::kBpe       ? make_bpe_model(*vocabulary_)
                 : kind == TokenizerModel::kUnigram ? make_unigram_model(*vocabulary_)
                                                    : make_word_piece_model(*vocabulary_);
    if (model) {
      model_ = *std::move(model);
      scratch_ = model_->make_scratch();
    } else {
      error_ = model.error();
    }
  }

  const std::optional<Error>& error() const { return error_; }
  std::vector<TokenId> encode(std::string_view piece) {
    std::vector<TokenId> ids = {-7};  // what is there stays
    model_->encode(piece, *scratch_, ids);
    EXPECT_EQ(ids.at(0), -7);
    ids.erase(ids.begin());
    return ids;
  }

 private:
  std::unique_ptr<Vocabulary> vocabulary_;
  std::unique_ptr<const TokenModel> model_;
  std::unique_ptr<TokenModel::Scratch> scratch_;
  std::optional<Error> error_;
};

inline void expect_corrupt(TokenizerSpec spec, std::string_view words) {
  const ModelUnderTest model(std::move(spec));
  ASSERT_TRUE(model.error().has_value());
  EXPECT_EQ(model.error()->code, ErrorCode::kCorrupt);
  EXPECT_NE(model.error()->message.find(words), std::string::npos) << model.error()->message;
}

}  // namespace hangar::test
