// RequestReader: bytes of one HTTP/1.x request in, a checked HttpRequest out. Beast's parser
// within.
//
// Promise: takes no byte past the request's end, holds no more than the limits allow (a length that
//   is only announced costs nothing), and refuses what could be read in two ways (two lengths,
//   unknown transfer codings, no Host in HTTP/1.1).
// Errors: state() is kFailed; failure_status() and failure() say how to answer.
// Threads: one request, one thread at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "serve/http/body_budget.h"
#include "serve/http/message.h"

namespace hangar {

class RequestReader {
 public:
  enum class State { kHeader, kBody, kDone, kFailed };

  // budget: shared with other readers; it must outlive this one and its lease.
  RequestReader(std::size_t max_header_bytes, std::size_t max_body_bytes,
                BodyBudget* budget = nullptr);
  ~RequestReader();
  RequestReader(const RequestReader&) = delete;
  RequestReader& operator=(const RequestReader&) = delete;

  // Returns how many of `bytes` were taken; the rest must be given again with more behind it.
  std::size_t feed(std::string_view bytes);

  State state() const;
  bool begun() const;                   // a byte of the request itself has come
  std::uint64_t counted_bytes() const;  // of the budget
  // From kBody on: the client waits for "100 Continue" before it sends the body.
  bool expects_continue() const;
  // From kDone on.
  bool keep_alive() const;
  bool http_1_1() const;
  HttpRequest take();
  // Goes with the body: the budget counts it until the lease is gone.
  BodyLease take_lease();

  int failure_status() const;
  const std::string& failure() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hangar
