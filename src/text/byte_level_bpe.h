// ByteLevelBpe: the tokenizer of GPT-2 and those that follow it (Llama 3, Qwen, SmolLM).
//
// Promise: as Tokenizer. Special tokens are cut out first; what lies between is normalised where
// the
//   pre-tokenizer asks for it, cut into pieces, and each piece's bytes are merged.
// Source: Radford et al., "Language models are unsupervised multitask learners" (2019),
// section 2.2. Threads: const and thread-safe after build.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string_view>
#include <vector>

#include "text/bpe_merges.h"
#include "text/pre_token_splitter.h"
#include "text/pre_tokenizers.h"
#include "text/token_finder.h"
#include "text/tokenizer.h"
#include "text/vocabulary.h"

namespace hangar {

class ByteLevelBpe final : public Tokenizer {
 public:
  static Result<std::unique_ptr<const Tokenizer>> build(TokenizerSpec spec);

  std::vector<TokenId> encode(std::string_view text, EncodeOptions options) const override;
  std::string_view token_bytes(TokenId id) const override;
  bool is_special(TokenId id) const override;
  bool ends_generation(TokenId id) const override;
  std::vector<TokenId> end_of_generation() const override { return end_of_generation_; }
  std::optional<TokenId> find(std::string_view token_text) const override;
  std::int32_t vocabulary() const override { return vocabulary_.size(); }
  const TokenizerSpec& spec() const override { return vocabulary_.spec(); }

 private:
  // One call's working memory.
  struct Work;
  // Whether merging a token's own bytes gives that token back: found out when first asked.
  enum Whole : std::uint8_t { kNotTried, kYes, kNo };

  ByteLevelBpe(Vocabulary vocabulary, const PreTokenizer& pre_tokenizer, PreTokenSplitter splitter);
  Status add_merges();
  void index_bytes();

  void encode_plain(std::string_view text, Work& work, std::vector<TokenId>& ids) const;
  void encode_valid(std::string_view text, Work& work, std::vector<TokenId>& ids) const;
  void encode_piece(std::string_view piece, Work& work, std::vector<TokenId>& ids) const;
  void merge_piece(std::string_view piece, Work& work) const;
  bool is_whole(TokenId id, std::string_view piece, Work& work) const;

  Vocabulary vocabulary_;
  const PreTokenizer& pre_tokenizer_;
  PreTokenSplitter splitter_;
  BpeMerges merges_;
  std::array<TokenId, 256> byte_ids_{};  // -1: the vocabulary has none
  TokenFinder user_defined_;
  TokenFinder user_defined_and_control_;
  std::vector<TokenId> end_of_generation_;  // ascending
  // A memo, by id: any thread may fill it in, and all would write the same.
  std::unique_ptr<std::atomic<Whole>[]> whole_;
};

}  // namespace hangar
