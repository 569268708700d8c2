// The parts that every kind of tokenizer in a GGUF file has.
//
// Promise: names go without their prefix "tokenizer.ggml."; every id returned is inside the
//   vocabulary.
// Errors: kCorrupt: the file, the key and what was found.
// Threads: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "formats/gguf/metadata.h"
#include "text/tokenizer_spec.h"

namespace hangar::gguf {

std::string tokenizer_key(std::string_view name);

Result<TextList> token_texts(const Metadata& metadata);
// Empty where the file has none.
Result<std::vector<TokenKind>> token_kinds(const Metadata& metadata, std::size_t tokens);
Result<std::vector<double>> token_scores(const Metadata& metadata, std::size_t tokens);
Result<std::optional<TokenId>> token_id(const Metadata& metadata, std::string_view name,
                                        std::size_t tokens);
Result<MergeList> token_merges(const Metadata& metadata);

// spec.tokens and spec.kinds.
Status read_tokens(const Metadata& metadata, TokenizerSpec& spec);
// bos, eos, unknown, padding and end_of_generation.
Status read_special_ids(const Metadata& metadata, TokenizerSpec& spec);

struct AroundText {
  bool bos = false, eos = false;
};
// add_bos_token and add_eos_token; what is set has its id in `spec`.
Result<AroundText> read_around_text(const Metadata& metadata, AroundText otherwise,
                                    const TokenizerSpec& spec);
// The control and user-defined tokens, and the unknown one, as vocabularies with kinds mean them.
void add_tokens_of_kinds(TokenizerSpec& spec);

}  // namespace hangar::gguf
