// PreTokenizerChain: the stages of a spec's pre-tokenizer, one after the other.
//
// Promise: cut hands out the pieces that the last stage makes of the pieces of the one before it,
//   and so on, in order, without keeping them. Stages that one expression can stand for are one
//   (each digit alone, then GPT-2's words).
// Errors: as make_pre_tokenizer_stage.
// Threads: const and thread-safe; a Scratch belongs to one thread at a time.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "text/pre_tokenizer_stages.h"

namespace hangar {

class PreTokenizerChain {
 public:
  using Scratch = std::vector<PreTokenizerStage::Memory>;
  using OnPiece = FunctionRef<void(std::string_view)>;

  // spell_last: whether the last stage, where it is ByteLevel, makes bytes visible.
  static Result<PreTokenizerChain> build(std::vector<PreTokenizerSpec> specs, bool spell_last);
  Scratch make_scratch() const;

  // text: valid UTF-8. at_start: it begins where the caller's text does. A piece lives up to the
  // return of on_piece.
  void cut(std::string_view text, bool at_start, Scratch& scratch, OnPiece on_piece) const;

 private:
  void run(std::size_t stage, std::string_view text, bool at_start, Scratch& scratch,
           OnPiece on_piece) const;

  std::vector<std::unique_ptr<const PreTokenizerStage>> stages_;
};

}  // namespace hangar
