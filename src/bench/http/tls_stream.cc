#include <openssl/err.h>
#include <openssl/ssl.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "bench/http/byte_stream.h"
#include "bench/http/socket_quiet.h"

namespace hangar::bench {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

class TlsStream : public ByteStream {
 public:
  TlsStream(const asio::any_io_executor& executor, asio::ssl::context& context, std::string host,
            bool verify)
      : stream_(executor, context), host_(std::move(host)), verify_(verify) {}

  asio::awaitable<void> connect(const Endpoints& endpoints, error_code& error) override {
    co_await asio::async_connect(stream_.next_layer(), endpoints,
                                 asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return;
    error_code ignored;
    stream_.next_layer().set_option(asio::ip::tcp::no_delay(true), ignored);
    // Servers behind one address tell each other apart by this name; addresses have none.
    asio::ip::make_address(host_, ignored);
    if (ignored && SSL_set_tlsext_host_name(stream_.native_handle(), host_.c_str()) != 1) {
      error = error_code(static_cast<int>(::ERR_get_error()), asio::error::get_ssl_category());
      co_return;
    }
    if (verify_) stream_.set_verify_callback(asio::ssl::host_name_verification(host_));
    co_await stream_.async_handshake(asio::ssl::stream_base::client,
                                     asio::redirect_error(asio::use_awaitable, error));
  }

  asio::awaitable<void> write(std::string_view bytes, error_code& error) override {
    co_await asio::async_write(stream_, asio::buffer(bytes.data(), bytes.size()),
                               asio::redirect_error(asio::use_awaitable, error));
  }

  asio::awaitable<std::size_t> read_some(asio::mutable_buffer space, error_code& error) override {
    const std::size_t count =
        co_await stream_.async_read_some(space, asio::redirect_error(asio::use_awaitable, error));
    // An end without the goodbye of TLS is an end too: HTTP says itself where an answer ends.
    if (error == asio::ssl::error::stream_truncated) error = asio::error::eof;
    co_return count;
  }

  // A server may send TLS records of its own (session tickets) at any time, so only the end counts
  // that shows: what comes is read with the next answer.
  bool quiet() override {
    if (!stream_.next_layer().is_open()) return false;
    char byte = 0;
    const ssize_t got =
        ::recv(stream_.next_layer().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got > 0 || socket_quiet(stream_.next_layer());
  }

  void close() override {
    error_code ignored;
    stream_.next_layer().close(ignored);
  }

 private:
  asio::ssl::stream<asio::ip::tcp::socket> stream_;
  std::string host_;
  bool verify_;
};

class SystemTlsContext : public TlsContext {
 public:
  explicit SystemTlsContext(bool verify)
      : context_(asio::ssl::context::tls_client), verify_(verify) {}

  Status begin() {
    error_code error;
    context_.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                             asio::ssl::context::no_tlsv1_1,
                         error);
    if (!error && verify_) context_.set_default_verify_paths(error);
    if (!error) {
      context_.set_verify_mode(verify_ ? asio::ssl::verify_peer : asio::ssl::verify_none, error);
    }
    if (error) return make_error(ErrorCode::kIo, "TLS cannot be set up: {}", error.message());
    return {};
  }

  std::unique_ptr<ByteStream> make_stream(const asio::any_io_executor& executor,
                                          const std::string& host) override {
    return std::make_unique<TlsStream>(executor, context_, host, verify_);
  }

 private:
  asio::ssl::context context_;
  bool verify_;
};

}  // namespace

Result<std::unique_ptr<TlsContext>> make_tls_context(bool verify) {
  auto context = std::make_unique<SystemTlsContext>(verify);
  HANGAR_CHECK_OK(context->begin());
  return std::unique_ptr<TlsContext>(std::move(context));
}

}  // namespace hangar::bench
