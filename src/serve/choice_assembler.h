// ChoiceAssembler: one choice's tokens in, its text out: UTF-8 made whole, stop strings found.
//
// Promise: as OutputStream's, for one choice. Stop strings are not looked for in the echoed prompt
//   nor in the first min_tokens tokens.
// Threads: one choice, one thread at a time (the pump).
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/request.h"
#include "serve/output_stream.h"
#include "text/stop_matcher.h"
#include "text/stream_decoder.h"
#include "text/tokenizer.h"

namespace hangar {

struct ChoiceOptions {
  std::vector<std::string> stop;
  std::int32_t min_tokens = 0;
  bool keep_special = false;
  bool logprobs = false;                             // tokens are reported
  std::shared_ptr<const std::vector<TokenId>> echo;  // the prompt; null: not echoed
};

class ChoiceAssembler {
 public:
  ChoiceAssembler(const Tokenizer& tokenizer, std::int32_t choice, ChoiceOptions options);

  void on_prompt_token(const Event& event);
  // What can be shown now; nullopt: nothing. After a stop string its finish is set and later tokens
  // give nothing.
  std::optional<OutputPiece> on_token(const Event& event);
  // The choice ended: all that was held back; its finish is set for kStop and kLength. nullopt if
  // it has ended before, or failed with nothing held back.
  std::optional<OutputPiece> on_end(FinishReason reason);

  bool finished() const { return finished_; }
  bool stopped() const { return matcher_.stopped(); }  // by a stop string
  // Generated tokens, up to and with the one that completed a stop string.
  std::int32_t completion_tokens() const { return completion_tokens_; }

 private:
  struct WaitingToken {
    std::size_t start = 0;  // of its first byte in the generated text
    OutputToken token;
  };

  OutputToken make_token(const Event& event, bool from_prompt) const;
  void take_echo(OutputPiece& piece);
  void emit(std::string text, OutputPiece& piece);
  void release_tokens(OutputPiece& piece, bool all);

  const Tokenizer& tokenizer_;
  std::int32_t choice_;
  ChoiceOptions options_;
  StreamDecoder decoder_;
  StopMatcher matcher_;
  std::vector<OutputToken> prompt_tokens_;
  std::deque<WaitingToken> waiting_;
  std::size_t decoded_bytes_ = 0;
  std::size_t emitted_bytes_ = 0;
  std::int32_t completion_tokens_ = 0;
  bool finished_ = false;
};

}  // namespace hangar
