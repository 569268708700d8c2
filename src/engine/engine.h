// Engine: runs requests on one model; where it runs (in this process, in a worker) is its own
// matter.
//
// Promise: every request that submit() accepts ends in exactly one kFinished event, whatever
//   happens: finished, cancelled, failed or expired. Events of one request come in order.
//   submit_all() accepts all or none, and no step is planned between them.
// Errors: submit: kInvalidArgument (the request can never run: the numbers are in the message),
//   kResourceExhausted (queue full), kUnavailable (draining or stopped).
// Threads: submit, cancel, stats, drain from any thread. next_events from one thread at a time (the
//   pump): it waits up to timeout_us and returns what has come, perhaps nothing; after stop() and
//   once all is delivered it returns nothing at once and stopped() is true.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "engine/request.h"

namespace hangar {

struct EngineInfo {
  std::string model;                // architecture and name, for logs
  std::string backend;              // Backend::description()
  std::int32_t context_tokens = 0;  // prompt and output of one choice together
  std::int32_t vocabulary = 0;
  std::uint64_t weight_bytes = 0;
  std::uint64_t kv_bytes = 0;
  std::int32_t kv_blocks = 0;
  std::int32_t block_tokens = 16;
  std::string kv_type;           // kKvTypeNames
  std::string batching;          // kBatchingNames
  std::int32_t max_running = 0;  // sequences at once
  std::int32_t step_tokens = 0;  // rows of one step at most
  std::int32_t max_waiting = 0;
};

// Counters run from the start; the rest is as of now. Units in the names; sequences are choices of
// requests.
struct EngineStats {
  std::int32_t waiting = 0;
  std::int32_t running = 0;
  std::int32_t kv_blocks_total = 0;
  std::int32_t kv_blocks_used = 0;  // held by sequences
  std::int32_t kv_blocks_kept = 0;  // held by none, remembered as prefixes
  std::uint64_t steps = 0;
  std::uint64_t rows = 0;              // tokens computed, guesses too
  std::uint64_t prompt_tokens = 0;     // computed
  std::uint64_t cached_tokens = 0;     // prompt tokens that came from the prefix cache
  std::uint64_t looked_up_tokens = 0;  // prompt tokens that were looked for in it
  std::uint64_t generated_tokens = 0;
  std::uint64_t drafted_tokens = 0;   // guessed by prompt lookup
  std::uint64_t accepted_tokens = 0;  // of those, right
  std::uint64_t preemptions = 0;
  std::uint64_t refused = 0;  // queue full
  std::uint64_t expired = 0;
  std::int64_t busy_us = 0;  // time in steps
  // Of the engine's own thread: planning, laying out, handing over; it runs beside the steps.
  std::int64_t host_us = 0;
  std::optional<std::int64_t> device_us = {};  // the device computed; none: the backend cannot tell
  std::int64_t waited_for_us = 0;  // how long work has been there without a step ending; 0: fine
  std::int32_t step_rows = 0;      // of the last step
  std::int32_t step_sequences = 0;
};

class Engine {
 public:
  virtual ~Engine() = default;
  virtual const EngineInfo& info() const = 0;
  virtual Status submit_all(std::vector<Request> requests) = 0;
  Status submit(Request request) {
    std::vector<Request> one;
    one.push_back(std::move(request));
    return submit_all(std::move(one));
  }
  // Ends the request, or one choice of it, within one step; unknown or finished ids are ignored.
  virtual void cancel(RequestId id, std::int32_t choice = -1) = 0;
  virtual std::vector<Event> next_events(std::int64_t timeout_us) = 0;
  virtual EngineStats stats() const = 0;
  // Refuses new requests from now on; those it has run to their end.
  virtual void drain() = 0;
  // Cancels everything and lets next_events run dry.
  virtual void stop() = 0;
  virtual bool stopped() const = 0;
  // Why it has ended by itself (a card that is lost): requests end as failed, none is taken, and
  // stopped() becomes true. "": it has not.
  virtual std::string failure() const { return {}; }
};

}  // namespace hangar
