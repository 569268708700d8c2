// HttpServer: listens, reads requests under limits, hands them to routes, writes answers and
// streams.
//
// Promise: one listener; a bad or slow client costs its own connection only. A client that goes
//   away is noticed while its answer is being made. A connection that was answered with keep-alive
//   stays open for the time announced; one that will be closed is told so with the answer before.
//   stop() is graceful: no new connections or requests (503), running ones finish, then run()
//   returns. abort() closes everything at once. docs/http.md has the limits and what they do.
// Errors: listen: kInvalidArgument (address), kIo (address in use: says by what flag to change it).
// Threads: listen and run on one thread; stop and abort from any, also from a signal-wait thread;
//   counters from any.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "serve/http/counters.h"

namespace hangar {

class Gateway;

struct HttpServerOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 8000;  // 0: any free one
  std::size_t max_header_bytes = 64U << 10U;
  std::size_t max_body_bytes = 32U << 20U;
  // Of all requests that are read or wait for their handler, beyond the first 64 KiB of each.
  std::size_t max_buffered_bytes = 256U << 20U;
  std::size_t max_connections = 4096;
  // Of one address (IPv6: one /64); 0: no limit of its own.
  std::size_t max_connections_per_address = 0;
  std::int64_t header_timeout_us = 30'000'000;  // from a request's first byte to its header's end
  std::int64_t body_timeout_us = 120'000'000;   // from there to the body's end
  std::int64_t idle_timeout_us = 120'000'000;   // between requests; told to the client
  // How much later than told: for a request that left in time.
  std::int64_t idle_grace_us = 2'000'000;
  std::int64_t write_timeout_us = 60'000'000;     // a client that does not take 64 KiB in this time
  std::int64_t answer_timeout_us = 3600'000'000;  // from a request's end to its answer's
};

class HttpServer {
 public:
  static Result<std::unique_ptr<HttpServer>> listen(const HttpServerOptions& options,
                                                    Gateway& gateway);
  virtual ~HttpServer() = default;
  virtual std::uint16_t port() const = 0;
  virtual void run() = 0;
  virtual void stop() = 0;
  virtual void abort() = 0;
  virtual const HttpCounters& counters() const = 0;
};

}  // namespace hangar
