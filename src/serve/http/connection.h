// Connection: one client's socket: requests in, answers out, one after another.
//
// Promise: pipelined requests are answered in order; what comes while one is answered is read up to
//   64 KiB ahead. A client that goes away (an end of its sending side counts) while its answer is
//   being made makes the PendingResponse go at once. Time limits are HttpServerOptions'; the server
//   calls check_deadlines() every few moments.
// Threads: all on the io_context's one thread; a handler with a large body runs on the pool.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "serve/http/address_key.h"
#include "serve/http/body_budget.h"
#include "serve/http/connection_table.h"
#include "serve/http/message.h"
#include "serve/http/request_ids.h"
#include "serve/http/request_reader.h"
#include "serve/http/response_text.h"
#include "serve/http/server.h"
#include "serve/http/signal.h"

namespace hangar {

// What all connections of a server share.
struct ConnectionContext {
  explicit ConnectionContext(const HttpServerOptions& server_options)
      : options(server_options),
        table(server_options),
        bodies(server_options.max_buffered_bytes, counters.buffered_bytes) {}

  HttpServerOptions options;
  HttpCounters counters;
  ConnectionTable table;
  BodyBudget bodies;
  RequestIds ids;
  HttpDate date;
  std::function<HandlerResult(const HttpRequest&)> handler;
  boost::asio::thread_pool* pool = nullptr;
  bool stopping = false;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Clock = std::chrono::steady_clock;

  Connection(boost::asio::ip::tcp::socket socket, AddressKey address, ConnectionContext& context);

  boost::asio::awaitable<void> run();
  void close_now();
  // One that was told it is kept has a moment left for a request that is on its way (503).
  void begin_stop();
  void check_deadlines(Clock::time_point now);

  // It has been promised nothing: silent since it came, in the middle of a request, or done.
  bool may_be_evicted() const {
    return phase_ == Phase::kFresh || phase_ == Phase::kReading || phase_ == Phase::kClosing;
  }
  Clock::time_point last_byte_at() const { return last_byte_at_; }
  std::uint64_t counted_bytes() const { return reader_ ? reader_->counted_bytes() : 0; }

 private:
  enum class Phase : std::uint8_t {
    kFresh,      // no byte of a request yet
    kReading,    // a request has begun
    kAnswering,  // it is whole
    kIdle,       // answered and told that the connection is kept
    kClosing,    // all said: waits for the client to see it
  };
  enum class Read : std::uint8_t { kRequest, kClosed };
  struct Job;

  boost::asio::awaitable<Read> read_request();
  boost::asio::awaitable<Read> end_of_reading(bool in_body);
  boost::asio::awaitable<bool> serve_one();
  boost::asio::awaitable<bool> refuse_bad_request();
  boost::asio::awaitable<void> run_handler(std::shared_ptr<Job> job);
  boost::asio::awaitable<bool> write_pending(std::shared_ptr<Job> job, bool keep_alive);
  boost::asio::awaitable<bool> write_response(const HttpResponse& response, bool keep_alive);
  boost::asio::awaitable<bool> write_all(std::string data);
  boost::asio::awaitable<void> close_gently(bool request_was_whole);
  ResponseFraming framing(bool keep_alive) const;
  bool may_keep(bool keep_alive) const;

  void enter(Phase phase, std::int64_t timeout_us);
  // Reading never pauses but when enough has been read ahead: that is how a client's end is seen.
  void keep_reading();
  void on_read(const boost::system::error_code& error, std::size_t count);
  void watch_for_error();
  void client_gone();

  boost::asio::ip::tcp::socket socket_;
  AddressKey address_;
  ConnectionContext& context_;
  Signal signal_;
  std::unique_ptr<RequestReader> reader_;  // of the request that is being read
  std::string input_;                      // read, not yet taken by a request
  std::unique_ptr<char[]> read_space_;     // where the socket writes
  std::string request_id_;
  Clock::time_point last_byte_at_;
  Clock::time_point deadline_;                                    // of the phase
  Clock::time_point answer_deadline_ = Clock::time_point::max();  // of the whole answer
  Phase phase_ = Phase::kFresh;
  bool timed_out_ = false;  // deadline_ has passed
  bool expired_ = false;    // answer_deadline_ has
  bool promised_ = false;   // the client was told that the connection is kept
  bool http_1_1_ = true;
  bool head_ = false;      // the answer goes without its body
  bool reading_ = false;   // a read of the socket is under way
  bool watching_ = false;  // a wait for the socket's error is
  bool making_ = false;    // an answer is being made that must stop when the client goes
  bool writing_ = false;
  bool ended_ = false;  // no more bytes will come
  bool gone_ = false;
  bool closed_ = false;
};

}  // namespace hangar
