// Tokenizer models "llama" and "gemma4": BPE over characters with a mark for the space.
#include <algorithm>
#include <string>

#include "formats/gguf/vocabulary_fields.h"
#include "formats/gguf/vocabulary_kinds.h"
#include "text/post_processor.h"

namespace hangar::gguf {
namespace {

constexpr const char* kMark = "\u2581";

NormalizerSpec replace(TextPattern pattern, std::string content) {
  return {.kind = NormalizerKind::kReplace,
          .pattern = std::move(pattern),
          .content = std::move(content)};
}

// Which ids the file's silence means, where the vocabulary is that long.
void default_id(std::optional<TokenId>& id, TokenId otherwise, const TokenizerSpec& spec) {
  if (!id && static_cast<std::size_t>(otherwise) < spec.tokens.size()) id = otherwise;
}

// What Hugging Face's converters write for a SentencePiece BPE model.
Status set_stages(const Metadata& metadata, bool prefix_by_default, TokenizerSpec& spec) {
  HANGAR_TRY(const std::optional<bool> prefix, metadata.boolean(tokenizer_key("add_space_prefix")));
  HANGAR_TRY(const std::optional<bool> squeeze,
             metadata.boolean(tokenizer_key("remove_extra_whitespaces")));
  const bool prepend = prefix.value_or(prefix_by_default);
  if (squeeze.value_or(false)) {
    spec.normalizers.push_back({.kind = NormalizerKind::kStrip});
    spec.normalizers.push_back(replace({.text = " {2,}", .regex = true}, " "));
  }
  if (prepend) spec.normalizers.push_back({.kind = NormalizerKind::kPrepend, .content = kMark});
  spec.normalizers.push_back(replace({.text = " "}, kMark));
  spec.decoders.push_back(
      {.kind = DecoderKind::kReplace, .pattern = {.text = kMark}, .content = " "});
  spec.decoders.push_back({.kind = DecoderKind::kByteFallback});
  spec.decoders.push_back({.kind = DecoderKind::kFuse});
  if (prepend) {
    spec.decoders.push_back({.kind = DecoderKind::kStrip, .content = " ", .start = 1});
  }
  spec.fuse_unknown = true;
  spec.byte_fallback =
      std::find(spec.kinds.begin(), spec.kinds.end(), TokenKind::kByte) != spec.kinds.end();
  return {};
}

}  // namespace

Status read_sentencepiece_bpe(const Metadata& metadata, TokenizerSpec& spec) {
  spec.model = TokenizerModel::kBpe;
  HANGAR_CHECK_OK(read_tokens(metadata, spec));
  HANGAR_TRY(spec.scores, token_scores(metadata, spec.tokens.size()));
  HANGAR_CHECK_OK(read_special_ids(metadata, spec));
  default_id(spec.unknown, 0, spec);
  default_id(spec.bos, 1, spec);
  default_id(spec.eos, 2, spec);
  HANGAR_CHECK_OK(set_stages(metadata, /*prefix_by_default=*/true, spec));
  HANGAR_TRY(const AroundText around, read_around_text(metadata, {.bos = true}, spec));
  wrap_in_bos_eos(around.bos, around.eos, spec);
  add_tokens_of_kinds(spec);
  return {};
}

Status read_gemma4_bpe(const Metadata& metadata, TokenizerSpec& spec) {
  spec.model = TokenizerModel::kBpe;
  HANGAR_CHECK_OK(read_tokens(metadata, spec));
  HANGAR_TRY(spec.merges, token_merges(metadata));
  HANGAR_CHECK_OK(read_special_ids(metadata, spec));
  HANGAR_CHECK_OK(set_stages(metadata, /*prefix_by_default=*/false, spec));
  HANGAR_TRY(const AroundText around,
             read_around_text(metadata, {.bos = spec.bos.has_value()}, spec));
  wrap_in_bos_eos(around.bos, around.eos, spec);
  add_tokens_of_kinds(spec);
  return {};
}

}  // namespace hangar::gguf
