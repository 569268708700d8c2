#include <sys/socket.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>

#include "bench/http/byte_stream.h"
#include "bench/http/socket_quiet.h"

namespace hangar::bench {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

class PlainStream : public ByteStream {
 public:
  explicit PlainStream(const asio::any_io_executor& executor) : socket_(executor) {}

  asio::awaitable<void> connect(const Endpoints& endpoints, error_code& error) override {
    co_await asio::async_connect(socket_, endpoints,
                                 asio::redirect_error(asio::use_awaitable, error));
    error_code ignored;
    if (!error) socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  }

  asio::awaitable<void> write(std::string_view bytes, error_code& error) override {
    co_await asio::async_write(socket_, asio::buffer(bytes.data(), bytes.size()),
                               asio::redirect_error(asio::use_awaitable, error));
  }

  asio::awaitable<std::size_t> read_some(asio::mutable_buffer space, error_code& error) override {
    co_return co_await socket_.async_read_some(space,
                                               asio::redirect_error(asio::use_awaitable, error));
  }

  bool quiet() override { return socket_quiet(socket_); }

  void close() override {
    error_code ignored;
    socket_.close(ignored);
  }

 private:
  asio::ip::tcp::socket socket_;
};

}  // namespace

bool socket_quiet(asio::ip::tcp::socket& socket) {
  if (!socket.is_open()) return false;
  char byte = 0;
  const ssize_t got = ::recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

std::unique_ptr<ByteStream> make_plain_stream(const asio::any_io_executor& executor) {
  return std::make_unique<PlainStream>(executor);
}

}  // namespace hangar::bench
