// RunningStream: one request on its way: the engine's events in, pieces of text out.
//
// Promise: OutputStream's. Each event is told what the engine should be told next; the request's
// one
//   end piece is pushed by the first of: kFinished, a reader cut off, end_early.
// Errors: none.
// Threads: on_event and end_early from the pump; queue from both sides; the rest is const.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/request.h"
#include "serve/choice_assembler.h"
#include "serve/metrics/model_metrics.h"
#include "serve/metrics/request_times.h"
#include "serve/output_queue.h"

namespace hangar {

// What to tell the engine.
enum class StreamAction : std::uint8_t {
  kNone,
  kCancelChoice,   // the event's: a stop string ended it
  kCancelRequest,  // nobody waits for it, or it can't be answered any more
};

class RunningStream {
 public:
  struct Options {
    ChoiceOptions choice;
    OutputQueueOptions queue;
  };

  // metrics: nullptr: not counted.
  RunningStream(const Tokenizer& tokenizer, const Request& request, const Options& options,
                ModelMetrics* metrics, std::int64_t now_us);

  StreamAction on_event(const Event& event, std::int64_t now_us);
  // No more events will come.
  void end_early(FinishReason reason, std::string error, std::int64_t now_us);
  // Nothing is to be computed: what is known already is the answer.
  void end_uncomputed();

  OutputQueue& queue() { return queue_; }
  RequestId id() const { return id_; }
  std::size_t choices() const { return choices_.size(); }

 private:
  void on_token(const Event& event, std::int64_t now_us);
  void end_choice(std::size_t index, FinishReason reason);
  void on_finished(const Event& event, std::int64_t now_us);
  void push(std::optional<OutputPiece> piece);
  void push_end(FinishReason reason, std::string error, std::int64_t now_us);

  struct Choice {
    ChoiceAssembler assembler;
    std::int32_t tokens = 0;  // that the engine made, those beyond a stop string too
    bool ended = false;       // in the engine, or by a stop string
  };

  RequestId id_;
  OutputQueue queue_;
  RequestTimes times_;
  ModelMetrics* metrics_;
  std::vector<Choice> choices_;
  Usage usage_;
  FinishReason worst_ = FinishReason::kStop;  // why the request can't be answered; kStop: it can
  bool cut_off_ = false;
};

}  // namespace hangar
