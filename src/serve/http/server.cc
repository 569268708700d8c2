#include "serve/http/server.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "serve/gateway.h"
#include "serve/http/connection.h"
#include "serve/http/listener.h"
#include "serve/http/refusal.h"
#include "serve/http/socket_options.h"
#include "serve/http/spare_descriptor.h"
#include "serve/routes.h"

namespace hangar {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Milliseconds = std::chrono::milliseconds;

constexpr std::size_t kHandlerThreads = 4;
constexpr auto kFirstBackoff = Milliseconds(10);
constexpr auto kLongestBackoff = Milliseconds(500);
constexpr std::size_t kMaxRefusalsAtOnce = 256;  // beyond max_connections, each for a moment
constexpr std::int64_t kRefusalLingerUs = 500'000;
constexpr std::int64_t kLastRefusalLingerUs = 20'000;  // the accepting waits for it
constexpr auto kWarnEvery = std::chrono::seconds(10);

bool out_of_descriptors(const error_code& error) {
  return error == boost::system::errc::too_many_files_open ||
         error == boost::system::errc::too_many_files_open_in_system;
}

class AsioHttpServer final : public HttpServer {
 public:
  AsioHttpServer(const HttpServerOptions& options, Gateway& gateway)
      : gateway_(gateway),
        context_(options),
        io_(1),
        acceptor_(io_),
        pool_(kHandlerThreads),
        changed_(io_.get_executor()),
        backoff_timer_(io_),
        tick_timer_(io_) {
    context_.handler = [this](const HttpRequest& request) {
      return handle_request(gateway_, request);
    };
    context_.pool = &pool_;
    gateway_.set_http_counters(&context_.counters);
    const std::int64_t shortest =
        std::min({options.header_timeout_us, options.body_timeout_us, options.idle_timeout_us,
                  options.write_timeout_us, options.answer_timeout_us});
    tick_us_ = std::clamp<std::int64_t>(shortest / 8, 5'000, 250'000);
  }

  ~AsioHttpServer() override {
    gateway_.set_http_counters(nullptr);
    pool_.stop();
    pool_.join();
  }

  Status open() {
    HANGAR_CHECK_OK(open_listener(io_, context_.options.host, context_.options.port, acceptor_));
    error_code ignored;
    port_ = acceptor_.local_endpoint(ignored).port();
    return {};
  }

  std::uint16_t port() const override { return port_; }
  const HttpCounters& counters() const override { return context_.counters; }

  void run() override {
    const auto log = [](const std::exception_ptr& error) {
      if (error) log_exception("server", error);
    };
    asio::co_spawn(io_, accept_loop(), log);
    asio::co_spawn(io_, tick_loop(), log);
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
      for (const auto& connection : context_.table.all()) connection->close_now();
    });
  }

 private:
  static void log_exception(std::string_view what, const std::exception_ptr& error) {
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& caught) {
      spdlog::error("http: {}: {}", what, caught.what());
    }
  }

  void begin_stop() {
    context_.stopping = true;
    error_code ignored;
    acceptor_.close(ignored);
    backoff_timer_.cancel();
    changed_.notify();
    for (const auto& connection : context_.table.all()) connection->begin_stop();
  }

  // Looks at everyone's deadlines now and then: cheaper than timers that nearly never fire.
  asio::awaitable<void> tick_loop() {
    for (;;) {
      if (context_.table.size() == 0) {
        if (context_.stopping) co_return;
        co_await changed_.wait();
        continue;
      }
      tick_timer_.expires_after(std::chrono::microseconds(tick_us_));
      error_code ignored;
      co_await tick_timer_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
      const auto now = Connection::Clock::now();
      for (const auto& connection : context_.table.all()) connection->check_deadlines(now);
    }
  }

  // Waits for a connection before it is accepted: without a descriptor left, accepting fails at
  // once whether or not anyone is there.
  asio::awaitable<void> accept_loop() {
    auto backoff = kFirstBackoff;
    error_code error;
    acceptor_.non_blocking(true, error);
    while (!context_.stopping) {
      co_await acceptor_.async_wait(tcp::acceptor::wait_read,
                                    asio::redirect_error(asio::use_awaitable, error));
      if (context_.stopping) break;
      tcp::socket socket(io_);
      tcp::endpoint peer;
      acceptor_.accept(socket, peer, error);
      if (!error) {
        backoff = kFirstBackoff;
        take(std::move(socket), address_key(peer.address()));
        continue;
      }
      // Whoever was there has left again.
      if (error == asio::error::would_block || error == asio::error::connection_aborted) continue;
      if (out_of_descriptors(error)) {
        // What is closed here frees a descriptor for the next try.
        if (make_room(std::nullopt)) continue;
        if (spare_.held()) {
          co_await refuse_with_spare();
          continue;
        }
        spare_.take();
      }
      warn(fmt::format("cannot accept a connection: {}", error.message()));
      backoff_timer_.expires_after(backoff);
      backoff = std::min(backoff * 2, Milliseconds(kLongestBackoff));
      co_await backoff_timer_.async_wait(asio::redirect_error(asio::use_awaitable, error));
    }
  }

  bool make_room(std::optional<AddressKey> address) {
    const std::size_t closed = context_.table.evict(address);
    context_.counters.evicted += closed;
    update_open();
    return closed > 0;
  }

  void take(tcp::socket socket, AddressKey address) {
    ConnectionTable& table = context_.table;
    if (table.full(address) && !make_room(address)) {
      ++context_.counters.refused_address;
      return turn_away(std::move(socket), 429,
                       fmt::format("your address has {} connections open, which is the most it may "
                                   "have; close some, or use those that are open",
                                   table.max_per_address()));
    }
    if (table.full() && !make_room(std::nullopt)) {
      ++context_.counters.refused_full;
      return turn_away(std::move(socket), 503,
                       fmt::format("all {} connections that the server takes are in use; try again",
                                   table.max_connections()));
    }
    ++context_.counters.connections;
    set_socket_options(socket, context_.options.write_timeout_us);
    auto connection = std::make_shared<Connection>(std::move(socket), address, context_);
    table.add(connection, address);
    update_open();
    if (table.size() == 1) changed_.notify();
    const Connection* const raw = connection.get();
    asio::co_spawn(io_, connection->run(), [this, raw](const std::exception_ptr& error) {
      if (error) log_exception("connection", error);
      forget(raw);
    });
  }

  void forget(const Connection* connection) {
    context_.table.remove(connection);
    update_open();
    if (context_.stopping && context_.table.size() == 0) tick_timer_.cancel();
  }

  void update_open() { context_.counters.open_connections = context_.table.size(); }

  void turn_away(tcp::socket socket, int status, std::string message) {
    warn(fmt::format("turned a connection away: {}", message));
    std::string text = refusal_text(status, std::move(message), context_.ids.next());
    if (refusals_ >= kMaxRefusalsAtOnce) return refuse_at_once(std::move(socket), text);
    ++refusals_;
    asio::co_spawn(io_, refuse(std::move(socket), std::move(text), kRefusalLingerUs),
                   [this](const std::exception_ptr& error) {
                     if (error) log_exception("refusal", error);
                     --refusals_;
                   });
  }

  // The process has no descriptor left: the spare one's place takes one connection after another,
  // to say so.
  asio::awaitable<void> refuse_with_spare() {
    warn("no file descriptor left (ulimit -n): connections are turned away until some close");
    spare_.give();
    error_code error;
    tcp::socket socket(io_);
    acceptor_.accept(socket, error);
    if (!error) {
      ++context_.counters.refused_descriptors;
      co_await refuse(std::move(socket),
                      refusal_text(503, "the server has no file descriptor left; try again",
                                   context_.ids.next()),
                      kLastRefusalLingerUs);
    }
    spare_.take();
  }

  // Now and then: a flood of connections is none of log lines.
  void warn(const std::string& message) {
    const auto now = Connection::Clock::now();
    if (now < next_warning_) return;
    next_warning_ = now + kWarnEvery;
    spdlog::warn("http: {}", message);
  }

  Gateway& gateway_;
  ConnectionContext context_;
  asio::io_context io_;
  tcp::acceptor acceptor_;
  asio::thread_pool pool_;
  Signal changed_;  // the first connection has come, or the end
  asio::steady_timer backoff_timer_;
  asio::steady_timer tick_timer_;
  SpareDescriptor spare_;
  Connection::Clock::time_point next_warning_{};
  std::int64_t tick_us_ = 0;
  std::size_t refusals_ = 0;
  std::uint16_t port_ = 0;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::listen(const HttpServerOptions& options,
                                                       Gateway& gateway) {
  auto server = std::make_unique<AsioHttpServer>(options, gateway);
  HANGAR_CHECK_OK(server->open());
  return server;
}

}  // namespace hangar
