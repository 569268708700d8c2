// A GGUF file's tokenizer by its model's name ("tokenizer.ggml.model"): one function each.
//
// Promise: each fills the whole spec so that its ids are those of the model's own tokenizer.json.
//   What a GGUF file does not keep (flags of added tokens, whether a SentencePiece model came with
//   "legacy" set) is as the converters assume.
// Errors: kCorrupt, kUnsupported: the file, the key and what was found.
// Threads: pure functions.
#pragma once

#include "base/result.h"
#include "formats/gguf/metadata.h"
#include "text/tokenizer_spec.h"

namespace hangar::gguf {

Status read_byte_level_bpe(const Metadata& metadata, TokenizerSpec& spec);     // "gpt2"
Status read_sentencepiece_bpe(const Metadata& metadata, TokenizerSpec& spec);  // "llama"
Status read_gemma4_bpe(const Metadata& metadata, TokenizerSpec& spec);         // "gemma4"
Status read_unigram(const Metadata& metadata, TokenizerSpec& spec);            // "t5"
Status read_word_piece(const Metadata& metadata, TokenizerSpec& spec);         // "bert"

}  // namespace hangar::gguf
