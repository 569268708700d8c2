// Vocabulary: the tokens of a spec, checked, with look-up by text.
//
// Promise: after build every id in the spec is inside the vocabulary, and memory taken is a small
//   multiple of the spec's own size. Of two tokens with the same text the first is found.
// Errors: kCorrupt: the field and what was found.
// Threads: const and thread-safe after build.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "text/token_index.h"
#include "text/tokenizer_spec.h"

namespace hangar {

class Vocabulary {
 public:
  static Result<Vocabulary> build(TokenizerSpec spec);
  Vocabulary(Vocabulary&&) noexcept = default;
  Vocabulary& operator=(Vocabulary&&) noexcept = default;

  const TokenizerSpec& spec() const { return *spec_; }
  std::int32_t size() const { return static_cast<std::int32_t>(spec_->tokens.size()); }
  bool contains(TokenId id) const { return id >= 0 && id < size(); }
  TokenKind kind(TokenId id) const {  // id is inside
    return spec_->kinds.empty() ? TokenKind::kNormal : spec_->kinds[static_cast<std::size_t>(id)];
  }
  // Of a model that is built nobody asks for them again; they are as large as the vocabulary.
  void forget_merges() { spec_->merges.clear(); }
  std::string_view text(TokenId id) const { return spec_->tokens[static_cast<std::size_t>(id)]; }

  const TokenIndex& index() const { return index_; }
  std::optional<TokenId> find_text(std::string_view text) const {
    const TokenId id = index_.find(text);
    return id == TokenIndex::kNone ? std::nullopt : std::optional(id);
  }

 private:
  explicit Vocabulary(TokenizerSpec spec)
      : spec_(std::make_unique<TokenizerSpec>(std::move(spec))), index_(spec_->tokens) {}

  std::unique_ptr<TokenizerSpec> spec_;  // stays where it is, as the index points to it
  TokenIndex index_;
};

}  // namespace hangar
