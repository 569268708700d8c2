// Tokenizer model "t5": Unigram with SentencePiece's compiled normalization (T5, XLM-RoBERTa).
#include <algorithm>
#include <string>

#include "formats/gguf/vocabulary_fields.h"
#include "formats/gguf/vocabulary_kinds.h"

namespace hangar::gguf {
namespace {

// Bytes are written as an array of int8 or uint8.
Result<std::string> read_charsmap(const Metadata& metadata) {
  const std::string key = tokenizer_key("precompiled_charsmap");
  const Value* value = metadata.find(key);
  if (value == nullptr) return std::string();
  const auto* array = std::get_if<Array>(&value->data);
  if (array == nullptr ||
      (array->element != ValueType::kInt8 && array->element != ValueType::kUint8)) {
    return make_error(ErrorCode::kCorrupt, "{}: metadata '{}': an array of bytes expected",
                      metadata.file(), key);
  }
  return std::string(reinterpret_cast<const char*>(array->scalars.data()), array->scalars.size());
}

// T5 and XLM-RoBERTa cut at white space, then put the mark before each word.
Status set_stages(const Metadata& metadata, TokenizerSpec& spec) {
  HANGAR_TRY(std::string charsmap, read_charsmap(metadata));
  HANGAR_TRY(const std::optional<bool> prefix, metadata.boolean(tokenizer_key("add_space_prefix")));
  HANGAR_TRY(const std::optional<bool> squeeze,
             metadata.boolean(tokenizer_key("remove_extra_whitespaces")));
  const bool prepend = prefix.value_or(true);
  const PrependScheme scheme = prepend ? PrependScheme::kAlways : PrependScheme::kNever;
  if (!charsmap.empty()) {
    spec.normalizers.push_back(
        {.kind = NormalizerKind::kPrecompiled, .charsmap = std::move(charsmap)});
  }
  if (squeeze.value_or(true)) {
    if (prepend) {
      spec.pre_tokenizers.push_back({.kind = PreTokenizerKind::kWhitespaceSplit});
    } else {
      spec.normalizers.push_back({.kind = NormalizerKind::kStrip});
      spec.normalizers.push_back({.kind = NormalizerKind::kReplace,
                                  .pattern = {.text = " {2,}", .regex = true},
                                  .content = " "});
    }
  }
  spec.pre_tokenizers.push_back({.kind = PreTokenizerKind::kMetaspace, .prepend = scheme});
  spec.decoders.push_back({.kind = DecoderKind::kMetaspace, .prepend = scheme});
  return {};
}

// T5: A </s> and A </s> B </s>; with a begin it is RoBERTa's: <s> A </s></s> B </s>. All of type 0.
void set_surroundings(AroundText around, TokenizerSpec& spec) {
  using Kind = TemplatePiece::Kind;
  if (!around.bos && !around.eos) return;
  const auto token = [](TokenId id) -> TemplatePiece {
    return {.kind = Kind::kToken, .token = id};
  };
  const TokenId bos = spec.bos.value_or(0);
  const TokenId eos = spec.eos.value_or(0);
  if (around.bos) spec.single.push_back(token(bos));
  spec.single.push_back({.kind = Kind::kSequenceA});
  if (around.eos) spec.single.push_back(token(eos));
  spec.pair = spec.single;
  if (around.bos && around.eos) spec.pair.push_back(token(eos));
  spec.pair.push_back({.kind = Kind::kSequenceB});
  if (around.eos) spec.pair.push_back(token(eos));
}

}  // namespace

Status read_unigram(const Metadata& metadata, TokenizerSpec& spec) {
  spec.model = TokenizerModel::kUnigram;
  HANGAR_CHECK_OK(read_tokens(metadata, spec));
  HANGAR_TRY(spec.scores, token_scores(metadata, spec.tokens.size()));
  HANGAR_CHECK_OK(read_special_ids(metadata, spec));
  if (!spec.unknown && spec.tokens.size() > 2) spec.unknown = 2;
  if (!spec.eos && spec.tokens.size() > 1) spec.eos = 1;
  spec.byte_fallback =
      std::find(spec.kinds.begin(), spec.kinds.end(), TokenKind::kByte) != spec.kinds.end();
  HANGAR_CHECK_OK(set_stages(metadata, spec));
  HANGAR_TRY(const AroundText around, read_around_text(metadata, {.eos = true}, spec));
  set_surroundings(around, spec);
  add_tokens_of_kinds(spec);
  return {};
}

}  // namespace hangar::gguf
