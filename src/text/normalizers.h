// Normalizers: what is done to a text before it is cut: Unicode forms, lower case, replacements.
//
// Promise: build(specs) makes the stages in their order; normalize gives what Hugging Face's
//   tokenizers makes of the same text, one stage after the other.
// Errors: build: kUnsupported (an expression), kCorrupt (a charsmap).
// Threads: const and thread-safe; a Scratch belongs to one thread at a time.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/tokenizer_spec.h"

namespace hangar {

// One stage: gives what it makes of `text`.
class NormalizerStage {
 public:
  virtual ~NormalizerStage() = default;
  // True where `text` is surely left as it is; false says nothing.
  virtual bool keeps(std::string_view text) const = 0;
  // `out` is empty. Returns how many bytes of `text` were removed in front of what came first.
  virtual std::size_t append(std::string_view text, std::string& out) const = 0;
};

class Normalizers {
 public:
  // A text under way, and memory that is kept from one call to the next.
  struct Scratch {
    std::string text;
    std::string next;
  };

  static Result<Normalizers> build(const std::vector<NormalizerSpec>& specs);
  bool empty() const { return stages_.empty(); }
  // text: valid UTF-8. What is returned lives in `text` or in the scratch, up to its next use.
  // `cut_front` becomes true where the text's first characters were taken away.
  std::string_view normalize(std::string_view text, Scratch& scratch, bool& cut_front) const;

 private:
  std::vector<std::unique_ptr<const NormalizerStage>> stages_;
};

}  // namespace hangar
