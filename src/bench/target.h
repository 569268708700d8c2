// Target: what a load is put on: a server behind a URL, or an Engine in this process.
//
// Promise: run() asks once, adds to the record as things come (piece_us, then usage, outcome and
//   end_us) and returns when the request has ended; with give_up_after_pieces it drops the request
//   after so many pieces (kCancelled). stop() makes every run() under way return soon; their
//   records then say nothing.
// Errors: a request's failure is in its record; run() throws nothing.
// Threads: all on the io_context's one thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>

#include "bench/prompts.h"
#include "bench/record.h"

namespace hangar::bench {

struct BenchRequest {
  BenchPrompt prompt;
  std::optional<std::int32_t> give_up_after_pieces;
};

class Target {
 public:
  virtual ~Target() = default;
  virtual boost::asio::awaitable<void> run(const BenchRequest& request, RequestRecord& record) = 0;
  virtual void stop() = 0;
};

}  // namespace hangar::bench
