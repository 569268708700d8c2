// Pre-tokenizers by GGUF's names ("smollm", "llama-bpe"): the stages that each name stands for.
//
// Promise: apply_pre_tokenizer sets a spec's normalizers, pre_tokenizers, decoders and
// ignore_merges
//   so that text is cut as the model's own Hugging Face tokenizer does. A new name is one entry in
//   the .cc file and one golden (tools/make_tokenizer_corpus.py).
// Errors: kUnsupported: a name that is not known, said with those that are.
// Threads: constant data.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "text/tokenizer_spec.h"

namespace hangar {

Status apply_pre_tokenizer(std::string_view name, TokenizerSpec& spec);
// "gpt-2, llama-bpe, ...", for error messages.
std::string known_pre_tokenizers();

// What ByteLevel with use_regex cuts by: GPT-2's expression.
std::string_view gpt2_expression();

}  // namespace hangar
