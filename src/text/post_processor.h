// Post-processing: the special tokens that a model wants around a text, or around two.
//
// Promise: lay_out follows a spec's template piece by piece; an empty template gives the ids alone
//   (type ids 0 for the first text, 1 for the second). Without add_special the special tokens of
//   the template are left out, and the order and type ids of the texts stay.
// Errors: check_template: kCorrupt, where a piece names a token that the vocabulary has not, or a
//   template for one text asks for a second.
// Threads: pure functions.
#pragma once

#include <span>

#include "base/result.h"
#include "text/tokenizer.h"
#include "text/tokenizer_spec.h"

namespace hangar {

// Makes spec.single and spec.pair of bos and eos, as GGUF's add_bos_token and add_eos_token ask.
// spec.bos is there where add_bos is set, spec.eos where add_eos is.
void wrap_in_bos_eos(bool add_bos, bool add_eos, TokenizerSpec& spec);

// Whether encode puts spec.bos in front of a text.
bool begins_with_bos(const TokenizerSpec& spec);

Status check_templates(const TokenizerSpec& spec);

Encoding lay_out(std::span<const TemplatePiece> pieces, std::span<const TokenId> first,
                 const std::vector<TokenId>* second, bool add_special);

}  // namespace hangar
