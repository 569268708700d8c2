// The model of a tokenizer.json (BPE, Unigram, WordPiece) and its added tokens.
//
// Promise: read_model fills what TokenizerSpec says of the model; holes in the ids stay empty
//   texts. Memory is bounded by a small multiple of the file's size.
// Errors: through the scanner: kCorrupt with line and column; kUnsupported from the Status: a model
//   or a setting that is not known, by its name.
// Threads: pure functions.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "formats/hf/json_scanner.h"
#include "text/tokenizer_spec.h"

namespace hangar::hf {

struct ModelExtras {
  std::optional<std::string> unknown_text;  // BPE, WordPiece
  std::optional<TokenId> unknown_id;        // Unigram
  std::size_t token_count = 0;              // ids with a text
};

Status read_model(JsonScanner& scanner, TokenizerSpec& spec, ModelExtras& extras);
Status read_added_tokens(JsonScanner& scanner, std::vector<AddedToken>& added);
// The fields of one added token, the id aside where a file gives it elsewhere.
bool read_added_token(JsonScanner& scanner, AddedToken& token, bool with_id);

}  // namespace hangar::hf
