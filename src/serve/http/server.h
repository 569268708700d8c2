// HttpServer: listens, reads requests under limits, hands them to routes, writes answers and
// streams.
//
// Promise: one listener; a bad or slow client costs its own connection only. A client that goes
// away
//   is noticed while its answer is being made. stop() is graceful: no new connections or requests
//   (503), running ones finish, then run() returns. abort() closes everything at once.
// Errors: listen: kInvalidArgument (address), kIo (address in use: says by what flag to change it).
// Threads: listen and run on one thread; stop and abort from any, also from a signal-wait thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"

namespace hangar {

class Gateway;

struct HttpServerOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 8000;  // 0: any free one
  std::size_t max_header_bytes = 64U << 10U;
  std::size_t max_body_bytes = 32U << 20U;
  std::size_t max_connections = 4096;
  std::int64_t header_timeout_us = 30'000'000;  // from the first byte of a request to its last
  std::int64_t idle_timeout_us = 75'000'000;    // between requests of one connection
  std::int64_t write_timeout_us = 60'000'000;  // a client that reads nothing for so long is cut off
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
};

}  // namespace hangar
