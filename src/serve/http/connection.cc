#include "serve/http/connection.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <utility>

#include "serve/http/response_text.h"
#include "serve/openai/api_error.h"

namespace hangar {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::size_t kReadBytes = 16U << 10U;
constexpr std::size_t kReadAheadBytes = 64U << 10U;  // of pipelined requests, while one is answered
constexpr std::int64_t kLingerUs = 2'000'000;        // after a request that was not read whole
constexpr std::int64_t kShortLingerUs = 200'000;     // after any other
constexpr std::int64_t kMicrosPerSecond = 1'000'000;

std::string make_request_id() {
  std::array<unsigned char, 16> random{};
  if (getrandom(random.data(), random.size(), 0) < 0) random.fill(0);
  std::string id = "req_";
  for (const unsigned char byte : random) id += fmt::format("{:02x}", byte);
  return id;
}

HttpResponse failure_response(int status, std::string message) {
  ApiError error;
  error.status = status;
  error.message = std::move(message);
  if (status >= 500 && status != 501 && status != 505) error.type = "server_error";
  return error_response(error);
}

}  // namespace

// A request on its way through the handler; shared with the pool's thread.
struct Connection::Job {
  HttpRequest request;
  HandlerResult result;
  bool done = false;
};

Connection::Connection(tcp::socket socket, ConnectionContext& context)
    : socket_(std::move(socket)),
      context_(context),
      timer_(socket_.get_executor()),
      signal_(socket_.get_executor()),
      read_space_(kReadBytes, '\0') {
  error_code ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
}

asio::awaitable<void> Connection::run() {
  const std::shared_ptr<Connection> self = shared_from_this();
  bool again = true;
  while (again && !closed_) again = co_await serve_one();
  disarm();
  error_code ignored;
  socket_.close(ignored);
}

void Connection::close_if_idle() {
  if (!idle_) return;
  close_now();
}

void Connection::close_now() {
  closed_ = true;
  gone_ = true;
  error_code ignored;
  socket_.close(ignored);
  signal_.notify();
}

void Connection::set_idle(bool idle) {
  idle_ = idle;
  if (!idle) return;
  idle_since_ = std::chrono::steady_clock::now();
  context_.on_idle();
}

void Connection::arm(std::int64_t timeout_us) {
  timed_out_ = false;
  const std::uint64_t generation = ++timer_generation_;
  timer_.expires_after(std::chrono::microseconds(timeout_us));
  timer_.async_wait([self = shared_from_this(), generation](const error_code& error) {
    // A wait that had fired before it was replaced must not end what came after it.
    if (error || generation != self->timer_generation_) return;
    self->timed_out_ = true;
    error_code ignored;
    self->socket_.cancel(ignored);
  });
}

void Connection::disarm() {
  ++timer_generation_;
  timer_.cancel();
}

// kRequest: the reader is done or has failed.
asio::awaitable<Connection::Read> Connection::read_request(RequestReader& reader) {
  using State = RequestReader::State;
  const HttpServerOptions& options = context_.options;
  bool started = false;
  bool continued = false;
  for (;;) {
    if (!started && !input_.empty()) {
      started = true;
      set_idle(false);
      arm(options.header_timeout_us);
    }
    if (!input_.empty()) input_.erase(0, reader.feed(input_));
    if (reader.state() == State::kDone || reader.state() == State::kFailed) {
      disarm();
      co_return Read::kRequest;
    }
    if (reader.state() == State::kBody && reader.expects_continue() && !continued) {
      continued = true;
      // A body that comes without waiting needs no leave.
      if (input_.empty()) {
        const bool sent = co_await write_all("HTTP/1.1 100 Continue\r\n\r\n");
        if (!sent) co_return Read::kClosed;
        arm(options.header_timeout_us);
      }
    }
    if (!started && !idle_) {
      set_idle(true);
      if (context_.stopping || closed_) co_return Read::kClosed;
      arm(first_request_ ? std::min(options.idle_timeout_us, options.header_timeout_us)
                         : options.idle_timeout_us);
    }
    error_code error;
    const std::size_t count = co_await socket_.async_read_some(
        asio::buffer(read_space_), asio::redirect_error(asio::use_awaitable, error));
    input_.append(read_space_.data(), count);
    if (!error) continue;
    idle_ = false;
    const bool late = timed_out_ && started && !closed_;
    disarm();
    if (late) {
      const HttpResponse response =
          failure_response(408, fmt::format("the request did not come within {} s",
                                            options.header_timeout_us / kMicrosPerSecond));
      const bool sent = co_await write_response(response, false);
      if (sent) co_await close_gently(kLingerUs);
    }
    co_return Read::kClosed;
  }
}

asio::awaitable<bool> Connection::serve_one() {
  RequestReader reader(context_.options.max_header_bytes, context_.options.max_body_bytes);
  request_id_ = make_request_id();
  http_1_1_ = true;
  head_ = false;
  const Read read = co_await read_request(reader);
  first_request_ = false;
  if (read == Read::kClosed || closed_) co_return false;

  bool keep_alive = false;
  if (reader.state() == RequestReader::State::kFailed) {
    const HttpResponse response = failure_response(reader.failure_status(), reader.failure());
    co_await write_response(response, false);
  } else {
    http_1_1_ = reader.http_1_1();
    keep_alive = reader.keep_alive();
    auto job = std::make_shared<Job>();
    job->request = reader.take();
    if (!job->request.request_id.empty()) request_id_ = job->request.request_id;
    job->request.request_id = request_id_;
    head_ = job->request.method == "HEAD";
    if (context_.stopping) {
      keep_alive = false;
      const HttpResponse response = failure_response(503, "the server is stopping");
      co_await write_response(response, false);
    } else {
      start_watch();
      co_await run_handler(job);
      if (std::holds_alternative<HttpResponse>(job->result)) {
        co_await stop_watch();
        keep_alive = keep_alive && !context_.stopping && !gone_;
        const HttpResponse& response = std::get<HttpResponse>(job->result);
        const bool sent = co_await write_response(response, keep_alive);
        if (!sent) co_return false;
      } else {
        keep_alive = co_await write_pending(job, keep_alive);
      }
    }
  }
  if (!keep_alive && !closed_) {
    const bool whole = reader.state() == RequestReader::State::kDone;
    co_await close_gently(whole ? kShortLingerUs : kLingerUs);
  }
  co_return keep_alive;
}

// Templates and tokenizers take their time on long prompts: the io thread does not wait for them.
asio::awaitable<void> Connection::run_handler(std::shared_ptr<Job> job) {
  // The coroutine waits for the job's end whatever happens, so the pool never holds the connection.
  asio::post(*context_.pool, [job, weak = weak_from_this(), executor = socket_.get_executor(),
                              context = &context_]() mutable {
    try {
      job->result = context->handler(job->request);
    } catch (const std::exception& error) {
      spdlog::error("{} {}: {}", job->request.method, job->request.target, error.what());
      job->result = failure_response(500, "the server failed on this request; its log says how");
    }
    asio::post(executor, [job = std::move(job), weak = std::move(weak)] {
      job->done = true;
      if (const auto self = weak.lock()) self->signal_.notify();
    });
  });
  while (!job->done) co_await signal_.wait();
}

asio::awaitable<bool> Connection::write_pending(std::shared_ptr<Job> job, bool keep_alive) {
  std::unique_ptr<PendingResponse>& pending =
      std::get<std::unique_ptr<PendingResponse>>(job->result);
  making_ = true;
  bool chunked = false;
  bool done = false;
  while (!done && !gone_) {
    std::optional<ResponsePart> part = pending->advance();
    if (!part) {
      pending->on_ready([weak = weak_from_this(), executor = socket_.get_executor()] {
        asio::post(executor, [weak] {
          if (const auto self = weak.lock()) self->signal_.notify();
        });
      });
      co_await signal_.wait();
      continue;
    }
    done = part->done;
    std::string out;
    if (part->head) {
      keep_alive = keep_alive && !context_.stopping && !part->close;
      ResponseFraming framing;
      framing.http_1_1 = http_1_1_;
      framing.request_id = request_id_;
      framing.keep_alive_s = context_.options.idle_timeout_us / kMicrosPerSecond;
      if (part->streaming) {
        chunked = http_1_1_;
        keep_alive = keep_alive && http_1_1_;
      } else {
        framing.content_length = part->head->body.size();
      }
      framing.keep_alive = keep_alive;
      out = response_head(*part->head, framing);
      part->bytes.insert(0, part->head->body);
    }
    if (chunked) {
      append_chunk(out, part->bytes);
      if (done) append_last_chunk(out);
    } else {
      out += part->bytes;
    }
    if (part->close) keep_alive = false;
    const bool sent = co_await write_all(std::move(out));
    if (!sent) {
      client_gone();
      keep_alive = false;
    }
  }
  pending.reset();
  making_ = false;
  co_await stop_watch();
  // Told "keep-alive" before the stop came: the next request, if one is sent, gets its 503.
  co_return keep_alive&& done && !gone_;
}

asio::awaitable<bool> Connection::write_response(const HttpResponse& response, bool keep_alive) {
  ResponseFraming framing;
  framing.http_1_1 = http_1_1_;
  framing.keep_alive = keep_alive;
  framing.keep_alive_s = context_.options.idle_timeout_us / kMicrosPerSecond;
  framing.content_length = response.body.size();
  framing.request_id = request_id_;
  std::string out = response_head(response, framing);
  if (!head_) out += response.body;
  const bool sent = co_await write_all(std::move(out));
  co_return sent;
}

asio::awaitable<bool> Connection::write_all(std::string data) {
  std::size_t written = 0;
  while (written < data.size()) {
    // Anew for each piece that goes out: a slow reader is served, one that stopped is not.
    arm(context_.options.write_timeout_us);
    error_code error;
    const asio::const_buffer rest = asio::buffer(data) + written;
    written +=
        co_await socket_.async_write_some(rest, asio::redirect_error(asio::use_awaitable, error));
    if (error) {
      disarm();
      co_return false;
    }
  }
  disarm();
  co_return true;
}

// Closing while bytes of the client are unread makes the system throw away our answer on its way,
// so: say that we are done, then read until the client has seen it.
asio::awaitable<void> Connection::close_gently(std::int64_t linger_us) {
  error_code error;
  socket_.shutdown(tcp::socket::shutdown_send, error);
  if (error || gone_) co_return;
  arm(linger_us);
  while (!error) {
    co_await socket_.async_read_some(asio::buffer(read_space_),
                                     asio::redirect_error(asio::use_awaitable, error));
  }
  disarm();
}

void Connection::start_watch() {
  watch_wanted_ = true;
  watch_read();
}

void Connection::watch_read() {
  if (!watch_wanted_ || closed_) return;
  if (input_.size() >= kReadAheadBytes) return watch_error();
  watching_ = true;
  socket_.async_read_some(
      asio::buffer(read_space_),
      [self = shared_from_this()](const error_code& error, std::size_t count) {
        self->watching_ = false;
        self->input_.append(self->read_space_.data(), count);
        if (!error) {
          self->watch_read();
        } else if (error != asio::error::operation_aborted || self->timed_out_) {
          self->client_gone();
        }
        if (!self->watching_) self->signal_.notify();
      });
}

// Enough has been read ahead; what is left to see is a connection that breaks.
void Connection::watch_error() {
  watching_ = true;
  socket_.async_wait(tcp::socket::wait_error, [self = shared_from_this()](const error_code& error) {
    self->watching_ = false;
    if (!error) self->client_gone();
    self->signal_.notify();
  });
}

void Connection::client_gone() {
  gone_ = true;
  watch_wanted_ = false;
  error_code ignored;
  // Ends a write that waits for a reader who will not come.
  if (making_) socket_.cancel(ignored);
  signal_.notify();
}

asio::awaitable<void> Connection::stop_watch() {
  watch_wanted_ = false;
  error_code ignored;
  if (watching_) socket_.cancel(ignored);
  while (watching_) co_await signal_.wait();
}

}  // namespace hangar
