// Generation: a running answer: takes pieces from the streams, makes one JSON or server-sent
// events.
//
// Promise: without `stream` one object when all has ended; with it the events as they come, the
//   usage event where it was asked for, and "[DONE]". A failure before anything was sent is an HTTP
//   error; after that it is an event with the error, and the connection ends. Dropping it cancels.
//   Its cost is by the pieces that come, not by the streams that wait.
// Threads: PendingResponse's.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "serve/http/message.h"
#include "serve/openai/answer_format.h"
#include "serve/openai/api_error.h"
#include "serve/openai/ready_set.h"
#include "serve/output_stream.h"

namespace hangar {

class ServedModel;

struct GenerationOptions {
  std::string model;
  std::string fingerprint;
  std::int32_t choices_per_prompt = 1;   // computed
  std::int32_t returned_per_prompt = 1;  // the best of them; all, where it streams
  bool stream = false;
  bool include_usage = false;
  bool deadline_of_client = false;
};

class Generation final : public PendingResponse {
 public:
  // One stream a prompt.
  Generation(GenerationOptions options, std::unique_ptr<AnswerFormat> format,
             std::vector<std::unique_ptr<OutputStream>> streams);

  std::optional<ResponsePart> advance() override;
  void on_ready(std::function<void()> callback) override;

 private:
  struct Choice {
    std::string text;
    std::vector<OutputToken> tokens;
    FinishReason finish = FinishReason::kStop;
    bool begun = false;
  };

  bool drain(std::size_t stream, std::string& events);
  void take(std::size_t stream, OutputPiece piece, std::string& events);
  void take_end(std::size_t stream, const OutputPiece& piece);
  std::vector<std::size_t> returned_choices() const;
  boost::json::object envelope() const;
  boost::json::object usage_object() const;
  void append_event(std::string& events, const boost::json::object& choice) const;
  ResponsePart whole_answer();
  ResponsePart failed_answer(std::string bytes);

  GenerationOptions options_;
  std::unique_ptr<AnswerFormat> format_;
  std::shared_ptr<ReadySet> ready_ = std::make_shared<ReadySet>();
  std::vector<std::unique_ptr<OutputStream>> streams_;  // null: ended
  std::vector<Choice> choices_;
  std::string id_;
  std::int64_t created_unix_s_;
  std::string event_head_;  // what each event begins with, up to its choice
  std::string event_tail_;
  std::size_t open_;
  Usage usage_;
  std::optional<ApiError> error_;
  bool head_sent_ = false;
};

// Names the model and how it is run: the same for answers that a seed can repeat.
std::string system_fingerprint(ServedModel& model);

}  // namespace hangar
