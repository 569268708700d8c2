// TokenizerSpec: all that a tokenizer is made from, as plain data, whatever file it came from.
//
// Promise: formats/ fills it (from tokenizer.json or from GGUF's metadata), make_tokenizer
//   (text/tokenizer.h) checks it and builds from it. The stages are those of Hugging Face's
//   tokenizers: added tokens are cut out, the rest is normalized, cut into pre-tokens, each goes
//   through the model, and the post-processor sets its special tokens around.
// Threads: a value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "text/merge_list.h"
#include "text/text_list.h"

namespace hangar {

using TokenId = std::int32_t;

enum class TokenizerModel : std::uint8_t { kBpe, kUnigram, kWordPiece };

enum class TokenKind : std::uint8_t { kNormal, kUnknown, kControl, kUserDefined, kUnused, kByte };

// A pattern is a string taken as it is, or a regular expression (Oniguruma's syntax as far as real
// tokenizers use it).
struct TextPattern {
  std::string text;
  bool regex = false;
};

enum class NormalizerKind : std::uint8_t {
  kNfc,
  kNfd,
  kNfkc,
  kNfkd,
  kLowercase,
  kStrip,  // left, right
  kStripAccents,
  kReplace,      // pattern -> content
  kPrepend,      // content, unless the text is empty
  kBert,         // clean_text, chinese, strip_accents, lowercase
  kPrecompiled,  // charsmap: SentencePiece's compiled rules
  kNmt,
  kByteLevel,  // each byte becomes its visible character
};
struct NormalizerSpec {
  NormalizerKind kind = NormalizerKind::kNfc;
  bool left = true, right = true;
  TextPattern pattern = {};
  std::string content = {};   // kReplace, kPrepend
  std::string charsmap = {};  // kPrecompiled: the bytes, base64 undone
  bool clean_text = true, chinese = true, lowercase = true;
  std::optional<bool> strip_accents = {};  // kBert: nullopt: as lowercase
};

enum class SplitBehavior : std::uint8_t {
  kRemoved,
  kIsolated,
  kMergedWithPrevious,
  kMergedWithNext,
  kContiguous,
};
enum class PrependScheme : std::uint8_t { kAlways, kFirst, kNever };

enum class PreTokenizerKind : std::uint8_t {
  kSplit,       // pattern, behavior, invert
  kByteLevel,   // add_prefix_space, use_regex (GPT-2's expression); then bytes become visible
  kMetaspace,   // replacement, prepend, split
  kWhitespace,  // \w+|[^\w\s]+
  kWhitespaceSplit,
  kBert,
  kPunctuation,    // behavior
  kDigits,         // individual
  kCharDelimiter,  // pattern.text is one character
  kUnicodeScripts,
  kFixedLength,  // length (characters)
};
struct PreTokenizerSpec {
  PreTokenizerKind kind = PreTokenizerKind::kSplit;
  TextPattern pattern = {};
  SplitBehavior behavior = SplitBehavior::kIsolated;
  bool invert = false;
  bool add_prefix_space = false, use_regex = true;
  std::string replacement = "\u2581";
  PrependScheme prepend = PrependScheme::kAlways;
  bool split = true;
  bool individual = false;
  std::uint32_t length = 0;
};

// A piece of what the post-processor lays out: a sequence (A or B), or a special token.
struct TemplatePiece {
  enum class Kind : std::uint8_t { kSequenceA, kSequenceB, kToken } kind = Kind::kSequenceA;
  TokenId token = 0;
  std::int32_t type_id = 0;
};

enum class DecoderKind : std::uint8_t {
  kByteLevel,
  kMetaspace,  // replacement, prepend
  kWordPiece,  // content is the prefix ("##"), cleanup
  kByteFallback,
  kFuse,
  kStrip,    // content is one character; start, stop
  kReplace,  // pattern -> content
  kBpe,      // content is the suffix of a word's end
};
struct DecoderSpec {
  DecoderKind kind = DecoderKind::kByteLevel;
  TextPattern pattern = {};
  std::string content = {};
  std::string replacement = "\u2581";
  PrependScheme prepend = PrependScheme::kAlways;
  bool cleanup = true;
  std::uint32_t start = 0, stop = 0;
};

struct AddedToken {
  TokenId id = 0;
  std::string content = {};
  bool special = false;  // found only where special tokens are parsed; not shown to users
  bool lstrip = false, rstrip = false, single_word = false;
  bool normalized = false;  // looked for in the normalized text instead of the raw one
};

struct TokenizerSpec {
  TokenizerModel model = TokenizerModel::kBpe;
  std::string model_name;        // as the file says: "gpt2", "BPE": for messages
  TextList tokens;               // id -> text, in the vocabulary's own spelling; a hole is ""
  std::vector<TokenKind> kinds;  // same length; empty: all normal
  // Unigram: log-probabilities (double: as tokenizer.json has them, ties hang on it). BPE without
  // merges: the better score merges first (SentencePiece; for Gemma's GGUF files -id, whose scores
  // do not follow its merges). Ids at or past the end are added tokens, not the model's.
  std::vector<double> scores;
  MergeList merges;            // best first
  bool byte_fallback = false;  // what the vocabulary lacks is spelled in <0x00> .. <0xFF>
  bool ignore_merges = false;  // a pre-token that is a token is taken whole
  bool fuse_unknown = false;   // unknown characters in a row are one unknown token
  std::string subword_prefix;  // WordPiece, BPE: of pieces inside a word: "##"
  std::string word_suffix;     // BPE: of a word's last piece: "</w>"
  std::int32_t max_word_characters = 100;  // WordPiece

  std::vector<NormalizerSpec> normalizers;
  std::vector<PreTokenizerSpec> pre_tokenizers;
  // What encode makes of one text and of a pair; empty: the ids alone.
  std::vector<TemplatePiece> single, pair;
  std::vector<DecoderSpec> decoders;
  std::vector<AddedToken> added;

  std::optional<TokenId> bos, eos, unknown, padding;
  std::vector<TokenId> end_of_generation;  // more ids that end an answer (eot, eom), beside eos
};

}  // namespace hangar
