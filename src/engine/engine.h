// Engine: runs requests on one model; where it runs (in this process, in a worker) is its own
// matter.
//
// Promise: every request that submit() accepts ends in exactly one kFinished event, whatever
//   happens: finished, cancelled, failed or expired. Events of one request come in order.
// Errors: submit: kInvalidArgument (the request can never run: the numbers are in the message),
//   kResourceExhausted (queue full), kUnavailable (draining or stopped).
// Threads: submit, cancel, stats, drain from any thread. next_events from one thread at a time (the
//   pump): it waits up to timeout_us and returns what has come, perhaps nothing; after stop() and
//   once all is delivered it returns nothing at once and stopped() is true.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/request.h"

namespace hangar {

struct EngineInfo {
  std::string model;                // architecture and name, for logs
  std::string backend;              // Backend::description()
  std::int32_t context_tokens = 0;  // prompt and output together
  std::int32_t vocabulary = 0;
  std::uint64_t weight_bytes = 0;
  std::uint64_t kv_bytes = 0;
};

struct EngineStats {
  std::int32_t waiting = 0;
  std::int32_t running = 0;
  std::int32_t kv_blocks_total = 0;
  std::int32_t kv_blocks_used = 0;
  std::uint64_t steps = 0;
  std::uint64_t prompt_tokens = 0;     // computed since start
  std::uint64_t generated_tokens = 0;  // since start
};

class Engine {
 public:
  virtual ~Engine() = default;
  virtual const EngineInfo& info() const = 0;
  virtual Status submit(Request request) = 0;
  // Ends the request within one step; unknown or finished ids are ignored.
  virtual void cancel(RequestId id) = 0;
  virtual std::vector<Event> next_events(std::int64_t timeout_us) = 0;
  virtual EngineStats stats() const = 0;
  // Refuses new requests from now on; those it has run to their end.
  virtual void drain() = 0;
  // Cancels everything and lets next_events run dry.
  virtual void stop() = 0;
  virtual bool stopped() const = 0;
};

}  // namespace hangar
