// OutputStream: the text of one running request, piece by piece.
//
// Promise: pieces come in order; each piece's text is whole UTF-8 and never holds any part of a
// stop
//   string; a choice's pieces joined are its whole text; nothing held back is lost. A token comes
//   with the piece that holds its first byte: it waits with text that is held back, and tokens that
//   lie wholly in a stop string are not reported. Exactly one piece has `end` set, the last one; a
//   request that failed, was cancelled or expired says so in that piece's `finish` and `error`.
//   A reader that does not read costs no more than TextRequest::max_waiting_bytes: past it the
//   request is cancelled, what waits is dropped, and the end piece says kCancelled.
// Threads: pushed by the model's pump thread, read by one reader. The reader either waits (next) or
//   asks to be told (on_ready), as an event loop does; the callback runs on the pump thread and
//   must only post. Dropping the stream cancels the request.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/request.h"
#include "text/tokenizer_spec.h"

namespace hangar {

struct TokenAlternative {
  TokenId id = 0;
  std::string bytes;
  float logprob = 0.0F;
};

struct OutputToken {
  TokenId id = 0;
  std::string bytes;             // may be part of a UTF-8 character
  bool from_prompt = false;      // echo
  bool hidden = false;           // a control token: its bytes are not part of the text
  std::optional<float> logprob;  // where asked for; none for the first prompt token
  std::vector<TokenAlternative> top;
};

struct OutputPiece {
  std::int32_t choice = 0;
  std::string text;
  // The tokens that came with this piece, where logprobs were asked for.
  std::vector<OutputToken> tokens;
  std::optional<FinishReason> finish;  // this choice ended; with `end`: why the request failed
  bool end = false;                    // the request ended: usage, error
  Usage usage;
  std::string error;  // with kFailed or kCancelled: what happened, where there is more to say
};

class OutputStream {
 public:
  virtual ~OutputStream() = default;  // cancels if not ended
  // The next piece; nullopt when none came within timeout_us (0: only look; -1: wait for ever).
  virtual std::optional<OutputPiece> next(std::int64_t timeout_us) = 0;
  // `callback` is called (once per arming) when a piece is there, at once if one is there already.
  // With TextRequest::whole: when the end is there.
  virtual void on_ready(std::function<void()> callback) = 0;
  virtual void cancel() = 0;
};

}  // namespace hangar
