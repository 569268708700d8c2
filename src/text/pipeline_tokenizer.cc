#include "text/pipeline_tokenizer.h"

#include <algorithm>
#include <utility>

#include "text/byte_level_bpe.h"
#include "text/byte_spelling.h"
#include "text/end_of_generation.h"
#include "text/post_processor.h"
#include "text/stream_decoder.h"
#include "text/utf8.h"

namespace hangar {
namespace {

bool makes_bytes_visible(const TokenizerSpec& spec) {
  return std::any_of(spec.normalizers.begin(), spec.normalizers.end(),
                     [](const NormalizerSpec& stage) {
                       return stage.kind == NormalizerKind::kByteLevel;
                     }) ||
         std::any_of(spec.pre_tokenizers.begin(), spec.pre_tokenizers.end(),
                     [](const PreTokenizerSpec& stage) {
                       return stage.kind == PreTokenizerKind::kByteLevel;
                     });
}

// Whether ByteLevel comes once, last, before a BPE that knows no other way to say a byte.
bool can_keep_bytes(const TokenizerSpec& spec) {
  if (spec.model != TokenizerModel::kBpe || spec.byte_fallback || spec.merges.empty()) return false;
  if (!spec.subword_prefix.empty() || !spec.word_suffix.empty()) return false;
  if (spec.pre_tokenizers.empty() ||
      spec.pre_tokenizers.back().kind != PreTokenizerKind::kByteLevel) {
    return false;
  }
  TokenizerSpec before;
  before.normalizers = spec.normalizers;
  before.pre_tokenizers.assign(spec.pre_tokenizers.begin(), spec.pre_tokenizers.end() - 1);
  return !makes_bytes_visible(before);
}

Result<std::unique_ptr<const TokenModel>> make_model(const Vocabulary& vocabulary, bool raw_bytes) {
  if (raw_bytes) return make_byte_level_bpe(vocabulary);
  switch (vocabulary.spec().model) {
    case TokenizerModel::kBpe:
      return make_bpe_model(vocabulary);
    case TokenizerModel::kUnigram:
      return make_unigram_model(vocabulary);
    case TokenizerModel::kWordPiece:
      return make_word_piece_model(vocabulary);
  }
  return make_error(ErrorCode::kUnsupported, "tokenizer: model {} is not known",
                    static_cast<int>(vocabulary.spec().model));
}

std::vector<bool> special_tokens(const Vocabulary& vocabulary) {
  std::vector<bool> special(static_cast<std::size_t>(vocabulary.size()));
  for (TokenId id = 0; id < vocabulary.size(); ++id) {
    const TokenKind kind = vocabulary.kind(id);
    special[static_cast<std::size_t>(id)] =
        kind == TokenKind::kControl || kind == TokenKind::kUnknown;
  }
  for (const AddedToken& token : vocabulary.spec().added) {
    if (token.special) special[static_cast<std::size_t>(token.id)] = true;
  }
  return special;
}

}  // namespace

class PipelineTokenizer::Lease {
 public:
  explicit Lease(const PipelineTokenizer& owner) : owner_(owner) {
    {
      const std::lock_guard lock(owner.kept_mutex_);
      if (!owner.kept_.empty()) {
        work_ = std::move(owner.kept_.back());
        owner.kept_.pop_back();
      }
    }
    if (work_ != nullptr) return;
    work_ = std::make_unique<Work>();
    work_->chain = owner.chain_.make_scratch();
    work_->model = owner.model_->make_scratch();
  }
  ~Lease() {
    forget_long_texts(*work_);
    const std::lock_guard lock(owner_.kept_mutex_);
    owner_.kept_.push_back(std::move(work_));
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  Work& work() { return *work_; }

 private:
  // What one long text took is not kept for the short ones that follow.
  static void forget_long_texts(Work& work) {
    constexpr std::size_t kKeptBytes = std::size_t{1} << 20U;
    const auto forget = [](std::string& text) {
      if (text.capacity() > kKeptBytes) text = std::string();
    };
    forget(work.normalizers.text);
    forget(work.normalizers.next);
    for (PreTokenizerStage::Memory& memory : work.chain) {
      forget(memory.text);
      forget(memory.piece);
    }
  }

  const PipelineTokenizer& owner_;
  std::unique_ptr<Work> work_;
};

Result<std::unique_ptr<const Tokenizer>> PipelineTokenizer::build(TokenizerSpec spec) {
  HANGAR_TRY(Vocabulary vocabulary, Vocabulary::build(std::move(spec)));
  std::unique_ptr<PipelineTokenizer> tokenizer(new PipelineTokenizer(std::move(vocabulary)));
  HANGAR_CHECK_OK(tokenizer->add_stages());
  tokenizer->add_added_tokens();
  return tokenizer;
}

Status PipelineTokenizer::add_stages() {
  const TokenizerSpec& from = spec();
  has_bytes_ = makes_bytes_visible(from);
  raw_bytes_ = can_keep_bytes(from);
  HANGAR_TRY(normalizers_, Normalizers::build(from.normalizers));
  HANGAR_TRY(chain_, PreTokenizerChain::build(from.pre_tokenizers, /*spell_last=*/!raw_bytes_));
  HANGAR_TRY(decoders_, Decoders::build(from.decoders));
  HANGAR_TRY(model_, make_model(vocabulary_, raw_bytes_));
  vocabulary_.forget_merges();
  special_ = special_tokens(vocabulary_);
  bytes_ = std::make_unique<TokenBytes>(vocabulary_, decoders_, special_);
  if (bytes_->size_bytes() > TokenBytes::kMaxBytes) {
    return make_error(ErrorCode::kUnsupported,
                      "tokenizer: the tokens stand for {} bytes, more than {}",
                      bytes_->size_bytes(), TokenBytes::kMaxBytes);
  }
  end_of_generation_ = end_of_generation_ids(from);
  return {};
}

void PipelineTokenizer::add_added_tokens() {
  std::vector<AddedTokens::Entry> raw;
  std::vector<AddedTokens::Entry> normalized;
  // Of two with one pattern the first is found, and special ones come first.
  for (const bool special : {true, false}) {
    for (const AddedToken& token : spec().added) {
      if (token.special != special) continue;
      AddedTokens::Entry entry{.pattern = token.content,
                               .id = token.id,
                               .special = token.special,
                               .lstrip = token.lstrip,
                               .rstrip = token.rstrip,
                               .single_word = token.single_word};
      if (!token.normalized) {
        raw.push_back(std::move(entry));
        continue;
      }
      Normalizers::Scratch scratch;
      bool cut_front = false;
      entry.pattern = normalizers_.normalize(token.content, scratch, cut_front);
      normalized.push_back(std::move(entry));
    }
  }
  raw_added_ = std::make_unique<AddedTokens>(std::move(raw));
  normalized_added_ = std::make_unique<AddedTokens>(std::move(normalized));
}

std::vector<TokenId> PipelineTokenizer::encode(std::string_view text, EncodeOptions options) const {
  std::vector<TokenId> ids;
  ids.reserve(text.size() / 4 + 8);
  encode_alone(text, options.parse_special, ids);
  if (spec().single.empty()) return ids;
  return lay_out(spec().single, ids, nullptr, options.add_special).ids;
}

Encoding PipelineTokenizer::encode_pair(std::string_view first, std::string_view second,
                                        EncodeOptions options) const {
  std::vector<TokenId> first_ids;
  std::vector<TokenId> second_ids;
  encode_alone(first, options.parse_special, first_ids);
  encode_alone(second, options.parse_special, second_ids);
  return lay_out(spec().pair, first_ids, &second_ids, options.add_special);
}

void PipelineTokenizer::encode_alone(std::string_view text, bool parse_special,
                                     std::vector<TokenId>& ids) const {
  std::string mended;
  if (!has_bytes_ && valid_utf8_prefix(text) != text.size()) {
    mended = to_valid_utf8(text);
    text = mended;
  }
  Lease lease(*this);
  raw_added_->cut(text, parse_special, [&](std::size_t begin, std::size_t end, TokenId id) {
    if (id >= 0) {
      ids.push_back(id);
    } else {
      encode_part(text.substr(begin, end - begin), begin == 0, parse_special, lease.work(), ids);
    }
  });
}

// text: no added token that is looked for as it is stands in it, any bytes.
void PipelineTokenizer::encode_part(std::string_view text, bool at_start, bool parse_special,
                                    Work& work, std::vector<TokenId>& ids) const {
  while (!text.empty()) {
    const std::size_t valid = valid_utf8_prefix(text);
    if (valid > 0) encode_valid(text.substr(0, valid), at_start, parse_special, work, ids);
    text.remove_prefix(valid);
    at_start = false;
    if (text.empty()) return;
    const std::size_t broken = next_utf8(text).bytes;
    for (std::size_t i = 0; i < broken; ++i) encode_byte(text.substr(i, 1), work, ids);
    text.remove_prefix(broken);
  }
}

void PipelineTokenizer::encode_valid(std::string_view text, bool at_start, bool parse_special,
                                     Work& work, std::vector<TokenId>& ids) const {
  bool cut_front = false;
  text = normalizers_.normalize(text, work.normalizers, cut_front);
  at_start = at_start && !cut_front;
  const auto encode_stretch = [&](std::string_view stretch, bool starts) {
    chain_.cut(stretch, starts, work.chain,
               [&](std::string_view piece) { model_->encode(piece, *work.model, ids); });
  };
  if (normalized_added_->empty()) return encode_stretch(text, at_start);
  normalized_added_->cut(text, parse_special, [&](std::size_t begin, std::size_t end, TokenId id) {
    if (id >= 0) {
      ids.push_back(id);
    } else {
      encode_stretch(text.substr(begin, end - begin), at_start && begin == 0);
    }
  });
}

// A byte of broken UTF-8, which is a pre-token of its own.
void PipelineTokenizer::encode_byte(std::string_view byte, Work& work,
                                    std::vector<TokenId>& ids) const {
  if (raw_bytes_) return model_->encode(byte, *work.model, ids);
  work.spelled.clear();
  append_spelling(byte, work.spelled);
  model_->encode(work.spelled, *work.model, ids);
}

std::string PipelineTokenizer::decode(std::span<const TokenId> ids, bool keep_special) const {
  std::string bytes;
  if (decoders_.is_byte_level()) {
    for (const TokenId id : ids) {
      if (!vocabulary_.contains(id) || (!keep_special && is_special(id))) continue;
      bytes.append(token_bytes(id));
    }
    return bytes;
  }
  std::vector<std::string> tokens;
  tokens.reserve(ids.size());
  for (const TokenId id : ids) {
    if (!vocabulary_.contains(id) || (!keep_special && is_special(id))) continue;
    const std::string_view text = vocabulary_.text(id);
    if (!text.empty()) tokens.emplace_back(text);  // a hole
  }
  return decoders_.decode(std::move(tokens));
}

bool PipelineTokenizer::ends_generation(TokenId id) const {
  return std::binary_search(end_of_generation_.begin(), end_of_generation_.end(), id);
}

}  // namespace hangar
