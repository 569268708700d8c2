// ByteStream: one connection to a server, plain or through TLS.
//
// Promise: connect() tries the addresses in turn. close() may come at any time: what is under way
// ends
//   with an error. quiet() is true while nothing has come and the server has not closed: a kept
//   connection that is not quiet must not be used again.
// Errors: in the error_code given; TLS: also a certificate that does not hold for the host.
// Threads: all on the io_context's one thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hangar::bench {

using Endpoints = std::vector<boost::asio::ip::tcp::endpoint>;

class ByteStream {
 public:
  virtual ~ByteStream() = default;
  virtual boost::asio::awaitable<void> connect(const Endpoints& endpoints,
                                               boost::system::error_code& error) = 0;
  virtual boost::asio::awaitable<void> write(std::string_view bytes,
                                             boost::system::error_code& error) = 0;
  // 0 with an error at the end.
  virtual boost::asio::awaitable<std::size_t> read_some(boost::asio::mutable_buffer space,
                                                        boost::system::error_code& error) = 0;
  virtual bool quiet() = 0;
  virtual void close() = 0;
};

std::unique_ptr<ByteStream> make_plain_stream(const boost::asio::any_io_executor& executor);

// What TLS connections share: the system's certificates, or none asked for.
class TlsContext {
 public:
  virtual ~TlsContext() = default;
  virtual std::unique_ptr<ByteStream> make_stream(const boost::asio::any_io_executor& executor,
                                                  const std::string& host) = 0;
};
// verify false: any certificate will do.
Result<std::unique_ptr<TlsContext>> make_tls_context(bool verify);

}  // namespace hangar::bench
