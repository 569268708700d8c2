// Connection: one client's socket: requests in, answers out, one after another.
//
// Promise: pipelined requests are answered in order. A client that goes away (an end of its sending
//   side counts) while its answer is being made makes the PendingResponse go at once. Time limits
//   are HttpServerOptions'.
// Threads: all on the io_context's one thread; the handler runs on the pool.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "serve/http/message.h"
#include "serve/http/request_reader.h"
#include "serve/http/server.h"
#include "serve/http/signal.h"

namespace hangar {

// What all connections of a server share.
struct ConnectionContext {
  HttpServerOptions options;
  std::function<HandlerResult(const HttpRequest&)> handler;
  boost::asio::thread_pool* pool = nullptr;
  std::function<void()> on_idle;  // a connection waits for its next request
  bool stopping = false;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(boost::asio::ip::tcp::socket socket, ConnectionContext& context);

  boost::asio::awaitable<void> run();
  bool idle() const { return idle_; }
  std::chrono::steady_clock::time_point idle_since() const { return idle_since_; }
  void close_if_idle();
  void close_now();

 private:
  enum class Read { kRequest, kClosed };
  struct Job;

  boost::asio::awaitable<Read> read_request(RequestReader& reader);
  boost::asio::awaitable<bool> serve_one();
  boost::asio::awaitable<void> run_handler(std::shared_ptr<Job> job);
  boost::asio::awaitable<bool> write_pending(std::shared_ptr<Job> job, bool keep_alive);
  boost::asio::awaitable<bool> write_response(const HttpResponse& response, bool keep_alive);
  boost::asio::awaitable<bool> write_all(std::string data);
  boost::asio::awaitable<void> close_gently(std::int64_t linger_us);
  void set_idle(bool idle);

  // The watch reads ahead while an answer is being made: that is how a client's end is seen.
  void start_watch();
  void watch_read();
  void watch_error();
  void client_gone();
  boost::asio::awaitable<void> stop_watch();

  void arm(std::int64_t timeout_us);
  void disarm();

  boost::asio::ip::tcp::socket socket_;
  ConnectionContext& context_;
  boost::asio::steady_timer timer_;
  Signal signal_;
  std::string input_;       // read, not yet taken by a request
  std::string read_space_;  // where the socket writes
  std::string request_id_;
  std::uint64_t timer_generation_ = 0;
  std::chrono::steady_clock::time_point idle_since_{};
  bool timed_out_ = false;
  bool idle_ = false;
  bool first_request_ = true;
  bool http_1_1_ = true;
  bool head_ = false;      // the answer goes without its body
  bool watching_ = false;  // a read or wait of the watch is under way
  bool watch_wanted_ = false;
  bool making_ = false;  // an answer is being made that must stop when the client goes
  bool gone_ = false;
  bool closed_ = false;
};

}  // namespace hangar
