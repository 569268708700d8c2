// AnswerFormat: how a choice looks in JSON, whole or piece by piece: chat's way and completions'
// way.
//
// Promise: no NaN or infinity is ever written (a log-probability of minus infinity is -9999, as
//   OpenAI writes it); token text that is no whole UTF-8 is written with its bytes escaped.
// Threads: one answer, one thread.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "serve/output_stream.h"

namespace hangar {

class AnswerFormat {
 public:
  using Emit = std::function<void(boost::json::object choice)>;

  virtual ~AnswerFormat() = default;
  virtual std::string_view id_prefix() const = 0;
  virtual std::string_view object_name(bool stream) const = 0;
  // A finished choice; index counts over all prompts.
  virtual boost::json::object choice(std::int32_t index, const std::string& text,
                                     const std::vector<OutputToken>& tokens,
                                     FinishReason finish) = 0;
  // The choice objects of the chunks that a piece becomes. `first`: the choice's first piece.
  virtual void chunks(std::int32_t index, bool first, const OutputPiece& piece,
                      const Emit& emit) = 0;
};

// logprobs: log-probabilities were asked for.
std::unique_ptr<AnswerFormat> make_chat_format(bool logprobs);
std::unique_ptr<AnswerFormat> make_completion_format(bool logprobs);

// "stop" or "length"; the other reasons are errors and end an answer otherwise.
std::string_view finish_reason_name(FinishReason reason);
double finite_logprob(float logprob);
// The bytes as text, or, where they are no whole UTF-8, `prefix` and each byte as \xNN.
std::string token_text(std::string_view bytes, std::string_view prefix);

}  // namespace hangar
