// Bert's normalizer, and the steps it shares with others.
//
// Promise: controls go and white space becomes spaces (clean_text), spaces are set around
//   ideographs (chinese), accents are taken off (strip_accents; as lowercase where it is not said),
//   letters become small: in this order, as Hugging Face's tokenizers does.
// Source: Devlin et al., "BERT" (2019), its published tokenizer.
// Threads: const and thread-safe.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "text/character_class.h"
#include "text/normalizers.h"

namespace hangar {

std::unique_ptr<const NormalizerStage> make_bert_normalizer(const NormalizerSpec& spec);

bool is_ascii(std::string_view text);
// text: valid UTF-8.
void append_lower_case(std::string_view text, std::string& out);
// Leaves out the characters of `left_out`; returns the bytes left out before the first kept one.
std::size_t append_without(std::string_view text, const CharacterClass& left_out, std::string& out);

}  // namespace hangar
