// RequestReader: bytes of one HTTP/1.x request in, a checked HttpRequest out. Beast's parser
// within.
//
// Promise: takes no byte past the request's end, holds no more than the limits allow, and refuses
// what
//   could be read in two ways (two lengths, unknown transfer codings, no Host in HTTP/1.1).
// Errors: state() is kFailed; failure_status() and failure() say how to answer.
// Threads: one request, one thread at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "serve/http/message.h"

namespace hangar {

class RequestReader {
 public:
  enum class State { kHeader, kBody, kDone, kFailed };

  RequestReader(std::size_t max_header_bytes, std::size_t max_body_bytes);
  ~RequestReader();
  RequestReader(const RequestReader&) = delete;
  RequestReader& operator=(const RequestReader&) = delete;

  // Returns how many of `bytes` were taken; the rest must be given again with more behind it.
  std::size_t feed(std::string_view bytes);

  State state() const;
  // From kBody on: the client waits for "100 Continue" before it sends the body.
  bool expects_continue() const;
  // From kDone on.
  bool keep_alive() const;
  bool http_1_1() const;
  HttpRequest take();

  int failure_status() const;
  const std::string& failure() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hangar
