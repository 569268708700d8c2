// Decoders: how tokens become text again.
//
// Promise: decode gives what Hugging Face's tokenizers gives for the same tokens, but for bytes:
// what
//   ByteLevel's tokens stand for stays as it is, where it has U+FFFD for what is not UTF-8. Without
//   stages the tokens stand with a space between.
// Streams: append_inside adds what one token stands for where others stand before it: a space mark
//   is a space, a byte's token that byte, a WordPiece that begins a word has a space in front.
//   What a stage does at the start of a text only is left out.
// Errors: build: kUnsupported (an expression), kCorrupt (a replacement that is not one character).
// Threads: const and thread-safe after build.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/tokenizer_spec.h"

namespace hangar {

// "<0x0A>": the byte that such a token stands for.
std::optional<char> byte_of_token(std::string_view token);

// One stage. Tokens change in place; a stage may join them.
class DecoderStage {
 public:
  virtual ~DecoderStage() = default;
  virtual void decode(std::vector<std::string>& tokens) const = 0;
  virtual void decode_inside(std::string& token) const = 0;
};

class Decoders {
 public:
  static Result<Decoders> build(const std::vector<DecoderSpec>& specs);

  std::string decode(std::vector<std::string> tokens) const;
  void append_inside(std::string_view token, std::string& out) const;
  // Whether decode is nothing but ByteLevel's bytes one after the other.
  bool is_byte_level() const { return byte_level_; }

 private:
  std::vector<std::unique_ptr<const DecoderStage>> stages_;
  bool byte_level_ = false;
};

}  // namespace hangar
