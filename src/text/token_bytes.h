// TokenBytes: what each token stands for inside a text, worked out once.
//
// Promise: of(id) is what decoders.append_inside gives for the token's text, or the text itself for
//   special tokens; it stays where it is as long as the table lives.
// Threads: const and thread-safe after construction.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/decoders.h"
#include "text/vocabulary.h"

namespace hangar {

class TokenBytes {
 public:
  // is_special: one an id.
  TokenBytes(const Vocabulary& vocabulary, const Decoders& decoders,
             const std::vector<bool>& is_special);
  // More bytes in all than this are not told apart.
  static constexpr std::size_t kMaxBytes = UINT32_MAX;
  std::size_t size_bytes() const { return bytes_.size(); }
  // Empty for ids outside the vocabulary.
  std::string_view of(TokenId id) const {
    const auto at = static_cast<std::size_t>(id);
    if (id < 0 || at + 1 >= begins_.size()) return {};
    return std::string_view(bytes_).substr(begins_[at], begins_[at + 1] - begins_[at]);
  }

 private:
  std::string bytes_;  // of all tokens, one after the other
  std::vector<std::uint32_t> begins_;
};

}  // namespace hangar
