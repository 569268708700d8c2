#include "serve/http/server.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <unordered_map>
#include <utility>
#include <vector>

#include "serve/gateway.h"
#include "serve/http/connection.h"
#include "serve/routes.h"

namespace hangar {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t kHandlerThreads = 4;
constexpr auto kFirstBackoff = std::chrono::milliseconds(10);
constexpr auto kLongestBackoff = std::chrono::milliseconds(500);

class AsioHttpServer final : public HttpServer {
 public:
  AsioHttpServer(const HttpServerOptions& options, Gateway& gateway)
      : gateway_(gateway),
        io_(1),
        acceptor_(io_),
        pool_(kHandlerThreads),
        room_(io_.get_executor()),
        backoff_timer_(io_) {
    context_.options = options;
    context_.handler = [this](const HttpRequest& request) {
      return handle_request(gateway_, request);
    };
    context_.pool = &pool_;
    context_.on_idle = [this] { room_.notify(); };
  }

  ~AsioHttpServer() override {
    pool_.stop();
    pool_.join();
  }

  Status open() {
    const HttpServerOptions& options = context_.options;
    error_code error;
    tcp::resolver resolver(io_);
    const auto found =
        resolver.resolve(options.host, std::to_string(options.port), tcp::resolver::passive, error);
    if (error || found.empty()) {
      return make_error(ErrorCode::kInvalidArgument, "--host {}: no such address ({})",
                        options.host, error.message());
    }
    const tcp::endpoint endpoint = found.begin()->endpoint();
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (!error) return {};
    const std::string address = fmt::format("{}:{}", options.host, options.port);
    if (error == asio::error::address_in_use) {
      return make_error(ErrorCode::kIo,
                        "{} is in use by another program; choose another port with --port",
                        address);
    }
    if (error == asio::error::access_denied) {
      return make_error(ErrorCode::kIo, "{}: not permitted; choose a port above 1023 with --port",
                        address);
    }
    if (error == boost::system::errc::address_not_available) {
      return make_error(ErrorCode::kInvalidArgument, "--host {}: not an address of this machine",
                        options.host);
    }
    return make_error(ErrorCode::kIo, "cannot listen on {}: {}", address, error.message());
  }

  std::uint16_t port() const override {
    error_code ignored;
    return port_ != 0 ? port_ : acceptor_.local_endpoint(ignored).port();
  }

  void run() override {
    asio::co_spawn(io_, accept_loop(), [](const std::exception_ptr& error) {
      if (error) log_exception("accept", error);
    });
    io_.run();
  }

  void stop() override {
    gateway_.drain();
    asio::post(io_, [this] { begin_stop(); });
  }

  void abort() override {
    gateway_.drain();
    asio::post(io_, [this] {
      begin_stop();
      for (const auto& connection : open_connections()) connection->close_now();
    });
  }

  void remember_port() { port_ = port(); }

 private:
  static void log_exception(std::string_view what, const std::exception_ptr& error) {
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& caught) {
      spdlog::error("http: {}: {}", what, caught.what());
    }
  }

  // Strong references, since closing one may take it out of the map.
  std::vector<std::shared_ptr<Connection>> open_connections() const {
    std::vector<std::shared_ptr<Connection>> open;
    for (const auto& [raw, weak] : connections_) {
      if (auto connection = weak.lock()) open.push_back(std::move(connection));
    }
    return open;
  }

  void begin_stop() {
    context_.stopping = true;
    error_code ignored;
    acceptor_.close(ignored);
    backoff_timer_.cancel();
    room_.notify();
    for (const auto& connection : open_connections()) connection->close_if_idle();
  }

  bool full() const { return connections_.size() >= context_.options.max_connections; }

  // All places are taken: the connection that has waited longest for its next request gives its up.
  void close_longest_idle() {
    std::shared_ptr<Connection> oldest;
    for (auto& connection : open_connections()) {
      if (!connection->idle()) continue;
      if (!oldest || connection->idle_since() < oldest->idle_since()) oldest = connection;
    }
    if (oldest) oldest->close_now();
  }

  asio::awaitable<void> accept_loop() {
    auto backoff = kFirstBackoff;
    while (!context_.stopping) {
      tcp::socket socket(io_);
      error_code error;
      co_await acceptor_.async_accept(socket, asio::redirect_error(asio::use_awaitable, error));
      if (context_.stopping) break;
      if (error) {
        // Out of descriptors or memory: what is being served goes on, and frees them in time.
        spdlog::warn("http: cannot accept a connection: {}; next try in {} ms", error.message(),
                     backoff.count());
        backoff_timer_.expires_after(backoff);
        backoff = std::min(backoff * 2, std::chrono::milliseconds(kLongestBackoff));
        co_await backoff_timer_.async_wait(asio::redirect_error(asio::use_awaitable, error));
        continue;
      }
      backoff = kFirstBackoff;
      if (full()) close_longest_idle();
      while (full() && !context_.stopping) {
        co_await room_.wait();
        if (full()) close_longest_idle();
      }
      if (context_.stopping) break;
      start(std::move(socket));
    }
  }

  void start(tcp::socket socket) {
    auto connection = std::make_shared<Connection>(std::move(socket), context_);
    Connection* const raw = connection.get();
    connections_.emplace(raw, connection);
    asio::co_spawn(io_, connection->run(), [this, raw](const std::exception_ptr& error) {
      if (error) log_exception("connection", error);
      connections_.erase(raw);
      room_.notify();
    });
  }

  Gateway& gateway_;
  ConnectionContext context_;
  asio::io_context io_;
  tcp::acceptor acceptor_;
  asio::thread_pool pool_;
  Signal room_;  // a connection has ended or become idle
  asio::steady_timer backoff_timer_;
  std::unordered_map<Connection*, std::weak_ptr<Connection>> connections_;
  std::uint16_t port_ = 0;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::listen(const HttpServerOptions& options,
                                                       Gateway& gateway) {
  auto server = std::make_unique<AsioHttpServer>(options, gateway);
  HANGAR_CHECK_OK(server->open());
  server->remember_port();
  return server;
}

}  // namespace hangar
