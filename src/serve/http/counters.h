// HttpCounters: what has come to the door and what was turned away, for metrics.
//
// Promise: each counter only grows, except those said to be of now. They are written by the server
//   and read by anyone; a reader may see one a moment before another.
// Threads: any.
#pragma once

#include <atomic>
#include <cstdint>

namespace hangar {

struct HttpCounters {
  using Count = std::atomic<std::uint64_t>;

  Count open_connections{0};  // now
  Count buffered_bytes{0};    // now: of request bodies, as max_buffered_bytes counts them
  Count connections{0};       // taken since start; the refused are not among them
  Count requests{0};          // read whole, or answered with what is wrong in them

  // Connections turned away with a reason (503 or 429).
  Count refused_full{0};
  Count refused_address{0};      // max_connections_per_address
  Count refused_descriptors{0};  // the process has no file descriptor left
  // Silent connections that gave their place to a new one.
  Count evicted{0};
  // Ended by a limit of time.
  Count header_timeouts{0};
  Count body_timeouts{0};
  Count write_timeouts{0};
  Count answer_timeouts{0};
  // Requests refused for what they hold (400, 413, 431 and so on), before any route saw them; and
  // those that found no room for their body (503).
  Count bad_requests{0};
  Count refused_buffered{0};
  Count clients_gone{0};  // left while their answer was being made
};

}  // namespace hangar
