// RequestRecord: what was seen of one request, from the moment it was due to its end.
//
// Promise: plain values, filled in while the request runs, so that a load that is cut short can
// still
//   count what had come.
// Units: microseconds on steady_now_us()'s clock; tokens.
// Threads: values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hangar::bench {

enum class Outcome : std::uint8_t {
  kRunning,    // not ended (yet, or before the load was cut off)
  kDone,       // answered to its end
  kFailed,     // `error` says how
  kCancelled,  // given up on purpose (LoadOptions::cancel_share)
};

struct RequestRecord {
  // When it was due: in an open loop that may be before it could be sent, and the wait counts.
  std::int64_t start_us = 0;
  std::int64_t end_us = 0;
  // When each piece of output came (streaming only): as a rule one token a piece.
  std::vector<std::int64_t> piece_us;
  std::int32_t max_tokens = 0;     // asked for
  std::int32_t prompt_tokens = 0;  // as the server counts them; before it has: as they were meant
  std::int32_t cached_tokens = 0;  // of those, found in its prefix cache
  std::int32_t output_tokens = 0;  // as the server counts them, else one a piece
  bool counted_by_server = false;  // the answer had a usage
  bool reconnected = false;        // the kept connection had been closed: sent again on a new one
  Outcome outcome = Outcome::kRunning;
  std::string error;  // a kind, the same words for the same fault: "http 429", "timeout"
  std::string error_detail;
};

}  // namespace hangar::bench
