#include "serve/http/connection.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "serve/http/failure.h"

namespace hangar {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::size_t kReadBytes = 16U << 10U;
constexpr std::size_t kReadAheadBytes = 64U << 10U;  // of pipelined requests, while one is answered
constexpr std::int64_t kStopGraceUs = 200'000;       // while the server stops: for a first byte
constexpr std::int64_t kStopReadingUs = 1'000'000;   // for the rest, which gets a 503

}  // namespace

Connection::Connection(tcp::socket socket, AddressKey address, ConnectionContext& context)
    : socket_(std::move(socket)),
      address_(address),
      context_(context),
      signal_(socket_.get_executor()),
      read_space_(new char[kReadBytes]),
      last_byte_at_(Clock::now()),
      deadline_(Clock::time_point::max()) {
  error_code ignored;
  socket_.non_blocking(true, ignored);
}

asio::awaitable<void> Connection::run() {
  const std::shared_ptr<Connection> self = shared_from_this();
  bool again = true;
  while (again && !closed_) {
    again = co_await serve_one();
    // More requests are here already: the other connections have their turn first.
    if (again && !input_.empty()) {
      co_await asio::post(socket_.get_executor(), asio::use_awaitable);
    }
  }
  closed_ = true;
  error_code ignored;
  socket_.close(ignored);
}

void Connection::close_now() {
  closed_ = true;
  gone_ = true;
  error_code ignored;
  socket_.close(ignored);
  signal_.notify();
}

void Connection::begin_stop() {
  if (phase_ == Phase::kFresh) return close_now();
  if (phase_ != Phase::kIdle && phase_ != Phase::kReading) return;
  const std::int64_t left_us = phase_ == Phase::kIdle ? kStopGraceUs : kStopReadingUs;
  deadline_ = std::min(deadline_, Clock::now() + std::chrono::microseconds(left_us));
}

void Connection::check_deadlines(Clock::time_point now) {
  const bool late = now >= deadline_;
  const bool answer_late = now >= answer_deadline_;
  if (!late && !answer_late) return;
  if (late) {
    timed_out_ = true;
    deadline_ = Clock::time_point::max();
  }
  if (answer_late) {
    expired_ = true;
    answer_deadline_ = Clock::time_point::max();
  }
  error_code ignored;
  socket_.cancel(ignored);
  signal_.notify();
}

void Connection::enter(Phase phase, std::int64_t timeout_us) {
  phase_ = phase;
  timed_out_ = false;
  deadline_ = Clock::now() + std::chrono::microseconds(timeout_us);
}

void Connection::keep_reading() {
  if (reading_ || ended_ || closed_) return;
  if (phase_ == Phase::kAnswering && input_.size() >= kReadAheadBytes) return watch_for_error();
  reading_ = true;
  socket_.async_read_some(asio::buffer(read_space_.get(), kReadBytes),
                          [self = shared_from_this()](const error_code& error, std::size_t count) {
                            self->reading_ = false;
                            self->on_read(error, count);
                          });
}

void Connection::on_read(const error_code& error, std::size_t count) {
  if (count > 0) {
    last_byte_at_ = Clock::now();
    if (phase_ != Phase::kClosing) input_.append(read_space_.get(), count);
  }
  // A read that was cancelled is begun again by whoever waits for bytes.
  if (error && error != asio::error::operation_aborted) {
    ended_ = true;
    if (phase_ == Phase::kAnswering) client_gone();
  }
  signal_.notify();
  if (!error && phase_ == Phase::kAnswering) keep_reading();
}

// Enough has been read ahead; what is left to see is a connection that breaks.
void Connection::watch_for_error() {
  if (watching_) return;
  watching_ = true;
  socket_.async_wait(tcp::socket::wait_error, [self = shared_from_this()](const error_code& error) {
    self->watching_ = false;
    if (error) return;
    self->ended_ = true;
    if (self->phase_ == Phase::kAnswering) self->client_gone();
    self->signal_.notify();
  });
}

void Connection::client_gone() {
  gone_ = true;
  error_code ignored;
  // Ends a write that waits for a reader who will not come.
  if (making_ && writing_) socket_.cancel(ignored);
}

// kRequest: the reader is done or has failed.
asio::awaitable<Connection::Read> Connection::read_request() {
  using State = RequestReader::State;
  const HttpServerOptions& options = context_.options;
  if (promised_) {
    enter(Phase::kIdle,
          context_.stopping ? kStopGraceUs : options.idle_timeout_us + options.idle_grace_us);
  } else {
    enter(Phase::kFresh, std::min(options.idle_timeout_us, options.header_timeout_us));
  }
  bool in_body = false;
  bool continued = false;
  for (;;) {
    if (!input_.empty()) input_.erase(0, reader_->feed(input_));
    const State state = reader_->state();
    if (state == State::kDone || state == State::kFailed) co_return Read::kRequest;
    if (phase_ != Phase::kReading && (reader_->begun() || !input_.empty())) {
      enter(Phase::kReading, context_.stopping ? kStopReadingUs : options.header_timeout_us);
    }
    if (state == State::kBody) {
      if (!in_body)
        enter(Phase::kReading, context_.stopping ? kStopReadingUs : options.body_timeout_us);
      in_body = true;
      if (reader_->expects_continue() && !continued) {
        continued = true;
        // A body that comes without waiting needs no leave.
        if (input_.empty()) {
          const bool sent = co_await write_all("HTTP/1.1 100 Continue\r\n\r\n");
          if (!sent) co_return Read::kClosed;
          enter(Phase::kReading, context_.stopping ? kStopReadingUs : options.body_timeout_us);
        }
      }
    }
    if (closed_ || ended_) co_return Read::kClosed;
    if (timed_out_) break;
    keep_reading();
    co_await signal_.wait();
  }
  co_return co_await end_of_reading(in_body);
}

// The time for it is over: said to those who had begun.
asio::awaitable<Connection::Read> Connection::end_of_reading(bool in_body) {
  if (phase_ != Phase::kReading) co_return Read::kClosed;
  if (context_.stopping) {
    const bool told = co_await write_response(stopping_response(), false);
    if (told) co_await close_gently(false);
    co_return Read::kClosed;
  }
  const HttpServerOptions& options = context_.options;
  ++(in_body ? context_.counters.body_timeouts : context_.counters.header_timeouts);
  const HttpResponse response = failure_response(
      408,
      in_body
          ? "the request's body did not come within " + seconds_text(options.body_timeout_us)
          : "the request's header did not come within " + seconds_text(options.header_timeout_us));
  const bool sent = co_await write_response(response, false);
  if (sent) co_await close_gently(false);
  co_return Read::kClosed;
}

}  // namespace hangar
