// ClientLoop: many connections of one thread that ask an HTTP server the same thing over and over,
// each the next time as soon as its answer is whole.
//
// Promise: an answer counts if it is 200, whole (by Content-Length or its last chunk) and holds the
//   text it must; all else is an error, and so is a connection that ends. It costs little beside
//   the server: no parsing beyond that.
// Errors: run: kIo when no connection could be made.
// Threads: one loop, one thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace hangar {

struct ClientLoopOptions {
  std::uint16_t port = 0;
  std::int32_t connections = 1;
  std::string request;    // the bytes of a whole request
  std::string must_hold;  // what each answer's body holds
};

struct ClientLoopResult {
  std::uint64_t answers = 0;
  std::uint64_t errors = 0;
  std::string first_error;
  std::vector<std::uint32_t> latencies_us;  // of answers, in the order they came
  double cpu_s = 0;                         // of this thread
};

// Asks until `stop`; what is finished before `count` is set is a warm-up and not counted, its
// processor time neither.
Result<ClientLoopResult> run_client_loop(const ClientLoopOptions& options,
                                         const std::atomic<bool>& count,
                                         const std::atomic<bool>& stop);

}  // namespace hangar
