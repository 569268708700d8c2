// HttpClient: asks one server, keeping connections and using them again.
//
// Promise: exchange() sends one request and passes the answer's body on as it comes; at most one
//   answer is under way on a connection, as many connections are open as answers are under way. A
//   kept connection that the server had closed in the meantime costs one retry on a new one
//   (reconnected), no failure: an answer of which anything came is never asked for twice.
// Units: timeout_us from the start of exchange() to the answer's last byte.
// Errors: make: kInvalidArgument, kNotFound (no such host). exchange: in Exchange::error, of the
//   same words for the same kind: "connect", "timeout", "closed", "not http", "tls".
// Threads: all on the io_context's one thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "bench/http/byte_stream.h"
#include "bench/http/url.h"

namespace hangar::bench {

struct HttpClientOptions {
  std::int64_t timeout_us = 600'000'000;
  bool verify_certificate = true;
  std::string authorization;  // a header's value; "": none
};

struct HttpAsk {
  std::string_view method = "POST";
  std::string target;
  std::string body;  // JSON
};

struct Exchange {
  std::string error;  // "": the answer came whole (whatever its status)
  std::string detail;
  bool abandoned = false;  // the sink wanted no more
  bool reconnected = false;
  int status = 0;
};

// Sees a piece of the body; false: no more of it is wanted, the connection is closed.
using HttpBodySink =
    std::function<bool(int status, std::string_view content_type, std::string_view bytes)>;

class HttpClient {
 public:
  static Result<std::unique_ptr<HttpClient>> make(boost::asio::io_context& io, ServerUrl url,
                                                  const HttpClientOptions& options);

  boost::asio::awaitable<Exchange> exchange(HttpAsk ask, HttpBodySink sink);
  // Closes every connection; exchanges under way end with "closed".
  void stop();
  const ServerUrl& url() const { return url_; }
  std::int64_t connections_opened() const { return connections_opened_; }

 private:
  class Lease;

  HttpClient(boost::asio::io_context& io, ServerUrl url, const HttpClientOptions& options)
      : io_(io), url_(std::move(url)), options_(options) {}
  std::unique_ptr<ByteStream> take_kept();
  std::unique_ptr<ByteStream> make_stream();
  std::string request_text(const HttpAsk& ask) const;
  boost::asio::awaitable<bool> attempt(Lease& lease, std::string_view request,
                                       const HttpBodySink& sink, Exchange& result);

  boost::asio::io_context& io_;
  ServerUrl url_;
  HttpClientOptions options_;
  std::unique_ptr<TlsContext> tls_;
  Endpoints endpoints_;
  std::vector<std::unique_ptr<ByteStream>> kept_;
  std::unordered_set<ByteStream*> busy_;
  std::int64_t connections_opened_ = 0;
  bool stopped_ = false;
};

}  // namespace hangar::bench
