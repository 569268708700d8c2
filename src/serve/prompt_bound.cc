#include "serve/prompt_bound.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "text/byte_spelling.h"

namespace hangar {
namespace {

// By how much the normalizers can shorten a text at most; 0: by any factor.
std::size_t most_shrinking(const TokenizerSpec& spec) {
  std::size_t factor = 1;
  for (const NormalizerSpec& step : spec.normalizers) {
    switch (step.kind) {
      case NormalizerKind::kNfc:
        // The most is a Hangul syllable: three letters of three bytes become one character of
        // three.
        factor *= 3;
        break;
      case NormalizerKind::kPrepend:
      case NormalizerKind::kByteLevel:
        break;
      case NormalizerKind::kReplace:
        if (step.pattern.regex || step.content.size() < step.pattern.text.size()) return 0;
        break;
      default:
        return 0;
    }
  }
  return factor;
}

bool drops_text(const PreTokenizerSpec& step) {
  switch (step.kind) {
    case PreTokenizerKind::kSplit:
    case PreTokenizerKind::kPunctuation:
      return step.behavior == SplitBehavior::kRemoved;
    case PreTokenizerKind::kByteLevel:
    case PreTokenizerKind::kMetaspace:
    case PreTokenizerKind::kDigits:
    case PreTokenizerKind::kUnicodeScripts:
    case PreTokenizerKind::kFixedLength:
      return false;
    default:
      return true;
  }
}

bool never_in_utf8(unsigned byte) {
  return byte == 0xC0 || byte == 0xC1 || byte >= 0xF5;
}

bool is_byte_level(const TokenizerSpec& spec) {
  const auto among = [](const auto& steps, auto kind) {
    return std::any_of(steps.begin(), steps.end(), [&](const auto& s) { return s.kind == kind; });
  };
  return among(spec.normalizers, NormalizerKind::kByteLevel) ||
         among(spec.pre_tokenizers, PreTokenizerKind::kByteLevel);
}

// What the vocabulary calls the byte.
std::string byte_token(unsigned byte, bool byte_level) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  const char character = static_cast<char>(byte);
  if (byte_level) return spell_bytes({&character, 1});
  return std::string("<0x") + kDigits[byte / 16] + kDigits[byte % 16] + ">";
}

}  // namespace

PromptBound::PromptBound(const Tokenizer& tokenizer) {
  const TokenizerSpec& spec = tokenizer.spec();
  const bool byte_level = is_byte_level(spec);
  const std::size_t shrinking = most_shrinking(spec);
  const bool known =
      spec.model != TokenizerModel::kWordPiece && shrinking > 0 &&
      (byte_level || spec.byte_fallback) &&
      std::none_of(spec.pre_tokenizers.begin(), spec.pre_tokenizers.end(), drops_text) &&
      // Such a token takes the white space beside it, however much there is.
      std::none_of(spec.added.begin(), spec.added.end(),
                   [](const AddedToken& token) { return token.lstrip || token.rstrip; });
  if (!known) return;
  has_all_ = true;
  for (unsigned byte = 0; byte < has_token_.size(); ++byte) {
    has_token_[byte] = tokenizer.find(byte_token(byte, byte_level)).has_value();
    has_all_ = has_all_ && (has_token_[byte] || never_in_utf8(byte));
  }
  // A byte without a token is left out by byte-level vocabularies; others have an unknown token for
  // the whole character, and normalizers may make such bytes of others.
  if (!has_all_ && (!byte_level || shrinking > 1)) return;
  std::size_t longest = 1;
  for (TokenId id = 0; id < tokenizer.vocabulary(); ++id) {
    longest = std::max(longest, tokenizer.token_bytes(id).size());
  }
  most_bytes_ = longest * shrinking;
}

std::int64_t PromptBound::least_tokens(std::string_view text) const {
  if (most_bytes_ == 0) return 0;
  std::size_t bytes = text.size();
  if (!has_all_) {
    bytes = static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [&](char c) {
      return has_token_[static_cast<unsigned char>(c)];
    }));
  }
  return static_cast<std::int64_t>(bytes / most_bytes_);
}

}  // namespace hangar
