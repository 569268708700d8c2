// Vocabulary: the tokens of a spec, checked, with the bytes each stands for and look-up by text.
//
// Promise: after build every id in the spec is inside the vocabulary, and memory taken is a small
//   multiple of the spec's own size. Of two tokens with the same text the first is found.
// Errors: kCorrupt: the field and what was found.
// Threads: const and thread-safe after build.
#pragma once

#include <xxhash.h>

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/tokenizer_spec.h"

namespace hangar {

class Vocabulary {
 public:
  static Result<Vocabulary> build(TokenizerSpec spec);
  // Keys point into spec_ and bytes_: moving keeps them, copying would not.
  Vocabulary(Vocabulary&&) noexcept = default;
  Vocabulary& operator=(Vocabulary&&) noexcept = default;

  const TokenizerSpec& spec() const { return spec_; }
  std::int32_t size() const { return static_cast<std::int32_t>(spec_.tokens.size()); }
  bool contains(TokenId id) const { return id >= 0 && id < size(); }
  TokenKind kind(TokenId id) const;  // id is inside

  std::string_view text(TokenId id) const { return spec_.tokens[static_cast<std::size_t>(id)]; }
  // What the token adds to the output: id is inside.
  std::string_view bytes(TokenId id) const;
  std::optional<TokenId> find_text(std::string_view text) const;
  // Among normal tokens only.
  std::optional<TokenId> find_bytes(std::string_view bytes) const;
  std::size_t longest_bytes() const { return longest_bytes_; }  // of a normal token

 private:
  struct Hash {
    using is_avalanching = void;
    std::size_t operator()(std::string_view text) const {
      return static_cast<std::size_t>(XXH3_64bits(text.data(), text.size()));
    }
  };
  using Index = boost::unordered_flat_map<std::string_view, TokenId, Hash>;

  explicit Vocabulary(TokenizerSpec spec) : spec_(std::move(spec)) {}
  Status check() const;
  void index();

  TokenizerSpec spec_;
  std::vector<char> bytes_;               // of all tokens, one after the other
  std::vector<std::size_t> bytes_begin_;  // one more than tokens
  Index by_text_;
  Index by_bytes_;
  std::size_t longest_bytes_ = 0;
};

}  // namespace hangar
