// TextIds: from a token's text to its id while a file is read, and the finder of duplicates.
//
// Promise: ids are the positions in `tokens`; empty texts (holes) are not in it. Time is linear.
// Errors: kCorrupt: two tokens have the same text.
// Lifetime: a view on `tokens`.
// Threads: const after build.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/tokenizer_spec.h"

namespace hangar::hf {

class TextIds {
 public:
  static Result<TextIds> build(const std::vector<std::string>& tokens);
  std::optional<TokenId> find(std::string_view text) const;

 private:
  explicit TextIds(const std::vector<std::string>& tokens) : tokens_(&tokens) {}
  static std::uint64_t hash(std::string_view text);

  const std::vector<std::string>* tokens_;
  // Upper half: a part of the hash; lower half: id + 1, 0 for a free slot. A power of two of them.
  std::vector<std::uint64_t> slots_;
};

}  // namespace hangar::hf
