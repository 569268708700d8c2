// TokenizerSpec: all that a tokenizer is made from, as plain data, whatever file it came from.
//
// Promise: formats/ fills it, make_tokenizer (text/tokenizer.h) checks it and builds from it.
// Threads: a value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hangar {

using TokenId = std::int32_t;

enum class TokenizerModel : std::uint8_t { kByteLevelBpe };

enum class TokenKind : std::uint8_t { kNormal, kUnknown, kControl, kUserDefined, kUnused, kByte };

struct TokenizerSpec {
  TokenizerModel model = TokenizerModel::kByteLevelBpe;
  std::string model_name;           // as the file says: "gpt2"
  std::string pre_tokenizer;        // GGUF's name: "smollm", "llama-bpe", "gpt-2", "qwen2"
  std::vector<std::string> tokens;  // id -> text, in the vocabulary's own (byte-level) spelling
  std::vector<TokenKind> kinds;     // same length; empty: all normal
  std::vector<std::string> merges;  // "left right", best first
  std::optional<TokenId> bos, eos, unknown, padding;
  std::vector<TokenId> end_of_generation;  // more ids that end an answer (eot, eom), beside eos
  bool add_bos = false;
  bool add_eos = false;
};

}  // namespace hangar
