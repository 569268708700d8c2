// TokenModel: one pre-token's text to token ids: BPE, Unigram or WordPiece.
//
// Promise: encode appends the ids that Hugging Face's tokenizers gives for the same piece. The
// piece
//   is valid UTF-8, already normalized, in the vocabulary's own spelling ("\u2581the", "Ġthe").
//   Time is near linear in the piece, whatever it is. A control token is never had from a piece
//   that holds its text (there Hugging Face's Unigram would): only the pipeline gives those out. A
//   character that the vocabulary lacks, where there is no unknown token either, gives nothing.
// Speed: a Scratch remembers short pieces, so keep one for many calls rather than one a call.
//   A byte-level path of its own finds the same parts in text/bpe_merge_list.h (the merge table of
//   a spec, built fast) and text/piece_cache.h.
// Errors: make_*: kCorrupt (a merge that names no token, scores missing, a WordPiece
//   vocabulary without an unknown token), naming what is wrong. kUnsupported: a vocabulary too long
//   for its trie (2^28 nodes) or its merges (text/bpe_merges.h).
// Threads: const and thread-safe; a Scratch belongs to one thread at a time.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/tokenizer_spec.h"
#include "text/vocabulary.h"

namespace hangar {

class TokenModel {
 public:
  class Scratch {
   public:
    virtual ~Scratch() = default;
  };
  virtual ~TokenModel() = default;
  virtual std::unique_ptr<Scratch> make_scratch() const = 0;
  virtual void encode(std::string_view piece, Scratch& scratch,
                      std::vector<TokenId>& ids) const = 0;
};

// `vocabulary` outlives the model.
Result<std::unique_ptr<const TokenModel>> make_bpe_model(const Vocabulary& vocabulary);
Result<std::unique_ptr<const TokenModel>> make_unigram_model(const Vocabulary& vocabulary);
Result<std::unique_ptr<const TokenModel>> make_word_piece_model(const Vocabulary& vocabulary);

}  // namespace hangar
