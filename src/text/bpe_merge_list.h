// bpe_merges_of: a spec's merges, or those its scores imply, as the table of BpeMerges.
//
// Promise: from spec.merges in their order. Where that is empty and there are scores (SentencePiece
//   models in GGUF), every split of a token into two tokens is a merge: the better score first,
//   then the longer left, then the longer right part (in characters), then the lower id; that is
//   the order of Hugging Face's converter. Time is linear in the vocabulary's text but for the
//   sorting.
// Errors: kCorrupt: a merge that is no pair, or names no token; too many scores; a NaN score.
//   kUnsupported: more tokens or merges than BpeMerges takes.
// Threads: pure function.
#pragma once

#include "base/result.h"
#include "text/bpe_merges.h"
#include "text/token_index.h"
#include "text/tokenizer_spec.h"

namespace hangar {

// `index` is of spec.tokens.
Result<BpeMerges> bpe_merges_of(const TokenizerSpec& spec, const TokenIndex& index);

}  // namespace hangar
