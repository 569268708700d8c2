// Tokenizer model "gpt2": byte-level BPE, cut as the pre-tokenizer's name says.
#include <algorithm>
#include <array>
#include <string_view>

#include "formats/gguf/vocabulary_fields.h"
#include "formats/gguf/vocabulary_kinds.h"
#include "text/post_processor.h"
#include "text/pre_tokenizers.h"

namespace hangar::gguf {
namespace {

// Files without add_bos_token: these pre-tokenizers' models were trained with it.
constexpr std::array<std::string_view, 9> kBosByDefault = {"llama3",  "llama-v3",  "llama-bpe",
                                                           "falcon3", "falcon-h1", "pixtral",
                                                           "lfm2",    "tekken",    "chameleon"};

}  // namespace

Status read_byte_level_bpe(const Metadata& metadata, TokenizerSpec& spec) {
  spec.model = TokenizerModel::kBpe;
  HANGAR_TRY(const std::optional<std::string_view> pre, metadata.text(tokenizer_key("pre")));
  // "default": as files from before the key are understood
  const std::string_view pre_tokenizer = pre.value_or("default");
  if (auto applied = apply_pre_tokenizer(pre_tokenizer, spec); !applied) {
    return with_context(std::move(applied.error()), metadata.file());
  }
  HANGAR_CHECK_OK(read_tokens(metadata, spec));
  HANGAR_TRY(spec.merges, token_merges(metadata));
  HANGAR_CHECK_OK(read_special_ids(metadata, spec));
  const bool begin =
      std::find(kBosByDefault.begin(), kBosByDefault.end(), pre_tokenizer) != kBosByDefault.end();
  HANGAR_TRY(const AroundText around, read_around_text(metadata, {.bos = begin}, spec));
  wrap_in_bos_eos(around.bos, around.eos, spec);
  add_tokens_of_kinds(spec);
  return {};
}

}  // namespace hangar::gguf
