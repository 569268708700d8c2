#include "text/token_model.h"

#include <gtest/gtest.h>

#include "text/token_model_test_data.h"

namespace hangar {
namespace {

using test::list_of;

// A model of token_models.json as a spec.
TokenizerSpec spec_of(const boost::json::object& model, const boost::json::array& lists) {
  TokenizerSpec spec;
  const std::string kind = std::string(model.at("model").as_string());
  spec.model = kind == "bpe"       ? TokenizerModel::kBpe
               : kind == "unigram" ? TokenizerModel::kUnigram
                                   : TokenizerModel::kWordPiece;
  const auto listed = [&](std::string_view key) -> const boost::json::value& {
    return lists.at(model.at(key).to_number<std::size_t>());
  };
  const auto flag = [&](std::string_view key) {
    const auto* found = model.if_contains(key);
    return found != nullptr && found->as_bool();
  };
  const auto words = [&](std::string_view key) {
    const auto* found = model.if_contains(key);
    return found == nullptr ? std::string() : std::string(found->as_string());
  };
  spec.tokens = list_of<std::string>(listed("tokens"));
  if (model.contains("merges")) {
    for (const auto& pair : listed("merges").as_array()) {
      spec.merges.add(pair.at(0).as_string(), pair.at(1).as_string());
    }
  }
  if (model.contains("scores")) spec.scores = list_of<double>(model.at("scores"));
  if (!model.at("unknown").is_null()) spec.unknown = model.at("unknown").to_number<TokenId>();
  spec.byte_fallback = flag("byte_fallback");
  spec.ignore_merges = flag("ignore_merges");
  spec.fuse_unknown = flag("fuse_unknown");
  spec.subword_prefix = words("subword_prefix");
  spec.word_suffix = words("word_suffix");
  if (const auto* most = model.if_contains("max_word_characters")) {
    spec.max_word_characters = most->to_number<std::int32_t>();
  }
  return spec;
}

TEST(TokenModels, IdsAreThoseOfHuggingFace) {
  const auto golden = test::read_json("token_models.json");
  const auto pieces = list_of<std::string>(golden.at("pieces"));
  const auto& models = golden.at("models").as_array();
  ASSERT_GT(pieces.size(), 80U);
  ASSERT_GT(models.size(), 20U);
  for (const auto& entry : models) {
    const auto& object = entry.as_object();
    SCOPED_TRACE(std::string(object.at("name").as_string()));
    test::ModelUnderTest model(spec_of(object, golden.at("lists").as_array()));
    ASSERT_FALSE(model.error().has_value()) << model.error()->message;
    const auto& wanted = object.at("ids").as_array();
    ASSERT_EQ(wanted.size(), pieces.size());
    for (int round = 0; round < 2; ++round) {  // the second one meets pieces it knows
      for (std::size_t i = 0; i < pieces.size(); ++i) {
        EXPECT_EQ(model.encode(pieces[i]), list_of<TokenId>(wanted[i])) << "piece: " << pieces[i];
      }
    }
  }
}

}  // namespace
}  // namespace hangar
