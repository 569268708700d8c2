// PipelineTokenizer: a Tokenizer made of the stages that its spec names.
//
// Promise: as Tokenizer. Added tokens are cut out of the text, the rest is normalized, those added
//   tokens cut out that are looked for then, the rest cut into pre-tokens, each of which goes
//   through the model; the post-processor lays out what comes of it.
// Fast path: where bytes become visible last and BPE follows, the bytes stay as they are and no
//   text is spelled out (text/byte_level_bpe.h).
// Memory: what calls work in is kept for the next ones, as much as there were calls at once.
// Threads: const and thread-safe after build.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "text/added_tokens.h"
#include "text/decoders.h"
#include "text/normalizers.h"
#include "text/pre_tokenizer_chain.h"
#include "text/token_bytes.h"
#include "text/token_model.h"
#include "text/tokenizer.h"
#include "text/vocabulary.h"

namespace hangar {

class PipelineTokenizer final : public Tokenizer {
 public:
  static Result<std::unique_ptr<const Tokenizer>> build(TokenizerSpec spec);

  std::vector<TokenId> encode(std::string_view text, EncodeOptions options) const override;
  Encoding encode_pair(std::string_view first, std::string_view second,
                       EncodeOptions options) const override;
  std::string_view token_bytes(TokenId id) const override { return bytes_->of(id); }
  std::string decode(std::span<const TokenId> ids, bool keep_special) const override;
  bool is_special(TokenId id) const override {
    return vocabulary_.contains(id) && special_[static_cast<std::size_t>(id)];
  }
  bool ends_generation(TokenId id) const override;
  std::vector<TokenId> end_of_generation() const override { return end_of_generation_; }
  std::optional<TokenId> find(std::string_view token_text) const override {
    return vocabulary_.find_text(token_text);
  }
  std::int32_t vocabulary() const override { return vocabulary_.size(); }
  const TokenizerSpec& spec() const override { return vocabulary_.spec(); }

 private:
  // One call's working memory.
  struct Work {
    Normalizers::Scratch normalizers;
    PreTokenizerChain::Scratch chain;
    std::unique_ptr<TokenModel::Scratch> model;
    std::string spelled;
  };
  // Takes a Work from those kept, or a new one, and gives it back.
  class Lease;

  explicit PipelineTokenizer(Vocabulary vocabulary) : vocabulary_(std::move(vocabulary)) {}
  Status add_stages();
  void add_added_tokens();

  void encode_alone(std::string_view text, bool parse_special, std::vector<TokenId>& ids) const;
  void encode_part(std::string_view text, bool at_start, bool parse_special, Work& work,
                   std::vector<TokenId>& ids) const;
  void encode_valid(std::string_view text, bool at_start, bool parse_special, Work& work,
                    std::vector<TokenId>& ids) const;
  void encode_byte(std::string_view byte, Work& work, std::vector<TokenId>& ids) const;

  Vocabulary vocabulary_;
  bool has_bytes_ = false;  // ByteLevel is among the stages, so any byte can be said
  bool raw_bytes_ = false;  // the model takes bytes as they are
  Normalizers normalizers_;
  PreTokenizerChain chain_;
  Decoders decoders_;
  std::unique_ptr<const TokenModel> model_;
  std::unique_ptr<const AddedTokens> raw_added_;         // looked for in the text as it comes
  std::unique_ptr<const AddedTokens> normalized_added_;  // and in the normalized one
  std::vector<bool> special_;
  std::unique_ptr<const TokenBytes> bytes_;
  std::vector<TokenId> end_of_generation_;  // ascending

  mutable std::mutex kept_mutex_;
  mutable std::vector<std::unique_ptr<Work>> kept_;
};

}  // namespace hangar
