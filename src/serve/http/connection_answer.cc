#include "serve/http/connection.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <utility>

#include "serve/http/failure.h"

namespace hangar {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

// Bodies up to this are handled on the io thread: a hop to the pool and back costs more.
constexpr std::size_t kInlineBodyBytes = 8U << 10U;
constexpr std::size_t kWritePieceBytes = 64U << 10U;
// What the client is waited for at the end, after a request that was not read whole and after
// others.
constexpr std::int64_t kLingerUs = 2'000'000;
constexpr std::int64_t kShortLingerUs = 200'000;
constexpr std::int64_t kMicrosPerSecond = 1'000'000;

}  // namespace

// A request on its way through the handler; shared with the pool's thread.
struct Connection::Job {
  HttpRequest request;
  BodyLease lease;
  HandlerResult result;
  bool done = false;

  void run(const ConnectionContext& context) {
    try {
      result = context.handler(request);
    } catch (const std::exception& error) {
      spdlog::error("{} {}: {}", request.method, request.target, error.what());
      result = failure_response(500, "the server failed on this request; its log says how");
    }
    std::string().swap(request.body);
    lease.release();
  }
};

asio::awaitable<bool> Connection::refuse_bad_request() {
  ++context_.counters.requests;
  const int status = reader_->failure_status();
  if (status != 503) {
    ++context_.counters.bad_requests;
  } else {
    ++context_.counters.refused_buffered;
    // The room may be held by clients that send nothing any more.
    context_.counters.evicted += context_.table.evict_stalled_body(kMicrosPerSecond);
  }
  const HttpResponse response = failure_response(status, reader_->failure());
  reader_.reset();
  const bool sent = co_await write_response(response, false);
  if (sent) co_await close_gently(false);
  co_return false;
}

asio::awaitable<bool> Connection::serve_one() {
  const HttpServerOptions& options = context_.options;
  reader_ = std::make_unique<RequestReader>(options.max_header_bytes, options.max_body_bytes,
                                            &context_.bodies);
  request_id_ = context_.ids.next();
  http_1_1_ = true;
  head_ = false;
  const Read read = co_await read_request();
  if (read == Read::kClosed || closed_) co_return false;
  deadline_ = Clock::time_point::max();
  phase_ = Phase::kAnswering;
  promised_ = false;
  if (reader_->state() == RequestReader::State::kFailed) co_return co_await refuse_bad_request();

  ++context_.counters.requests;
  http_1_1_ = reader_->http_1_1();
  bool keep_alive = reader_->keep_alive();
  auto job = std::make_shared<Job>();
  job->request = reader_->take();
  job->lease = reader_->take_lease();
  reader_.reset();
  if (!job->request.request_id.empty()) request_id_ = job->request.request_id;
  job->request.request_id = request_id_;
  head_ = job->request.method == "HEAD";
  if (context_.stopping) {
    keep_alive = false;
    co_await write_response(stopping_response(), false);
  } else {
    expired_ = false;
    answer_deadline_ = Clock::now() + std::chrono::microseconds(options.answer_timeout_us);
    co_await run_handler(job);
    if (std::holds_alternative<HttpResponse>(job->result)) {
      keep_alive = may_keep(keep_alive);
      const bool sent = co_await write_response(std::get<HttpResponse>(job->result), keep_alive);
      if (!sent) co_return false;
    } else {
      keep_alive = co_await write_pending(job, keep_alive);
    }
    answer_deadline_ = Clock::time_point::max();
  }
  promised_ = keep_alive;
  if (!keep_alive && !closed_ && !gone_) co_await close_gently(true);
  co_return keep_alive;
}

bool Connection::may_keep(bool keep_alive) const {
  return keep_alive && !context_.stopping && !gone_ && !ended_ && !closed_ &&
         !context_.table.crowded(address_);
}

// Templates and tokenizers take their time on long prompts: the io thread does not wait for them.
asio::awaitable<void> Connection::run_handler(std::shared_ptr<Job> job) {
  if (job->request.body.size() <= kInlineBodyBytes) {
    job->run(context_);
    co_return;
  }
  keep_reading();
  // The coroutine waits for the job's end whatever happens, so the pool never holds the connection.
  asio::post(*context_.pool, [job, weak = weak_from_this(), executor = socket_.get_executor(),
                              context = &context_]() mutable {
    job->run(*context);
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
  bool begun = false;
  bool chunked = false;
  bool done = false;
  keep_reading();
  while (!done && !gone_ && !expired_) {
    std::optional<ResponsePart> part = pending->advance();
    if (!part) {
      pending->on_ready([weak = weak_from_this(), executor = socket_.get_executor()] {
        asio::post(executor, [weak] {
          if (const auto self = weak.lock()) self->signal_.notify();
        });
      });
      co_await signal_.wait();
      keep_reading();
      continue;
    }
    done = part->done;
    std::string out;
    if (part->head) {
      begun = true;
      chunked = part->streaming && http_1_1_;
      keep_alive = may_keep(keep_alive) && (chunked || !part->streaming);
      ResponseFraming frame = framing(keep_alive);
      if (!part->streaming) frame.content_length = part->head->body.size();
      out = response_head(*part->head, frame);
      if (!chunked) {
        if (!head_) out += part->head->body;
      } else {
        part->bytes.insert(0, part->head->body);
      }
    }
    if (chunked) {
      append_chunk(out, part->bytes);
      // An answer that failed on its way has no last chunk: no client takes it for whole, and none
      // uses the connection again, which ends here though the head could not say so.
      if (part->close) keep_alive = false;
      if (done && !part->close) append_last_chunk(out);
    } else {
      out += part->bytes;
    }
    const bool sent = co_await write_all(std::move(out));
    if (!sent) {
      done = false;
      keep_alive = false;
      if (!expired_) gone_ = true;
    }
  }
  pending.reset();
  making_ = false;
  if (gone_ && !closed_) ++context_.counters.clients_gone;
  if (expired_ && !done && !gone_) {
    ++context_.counters.answer_timeouts;
    keep_alive = false;
    const std::string message =
        "the answer was not ready within " + seconds_text(context_.options.answer_timeout_us);
    if (!begun) co_await write_response(failure_response(504, message), false);
    done = true;
  }
  // Told "keep-alive" before the stop came: the next request, if one is sent, gets its 503.
  co_return keep_alive&& done && !gone_;
}

ResponseFraming Connection::framing(bool keep_alive) const {
  ResponseFraming frame;
  frame.http_1_1 = http_1_1_;
  frame.keep_alive = keep_alive;
  frame.keep_alive_s = context_.options.idle_timeout_us / kMicrosPerSecond;
  frame.request_id = request_id_;
  frame.date = context_.date.now();
  return frame;
}

asio::awaitable<bool> Connection::write_response(const HttpResponse& response, bool keep_alive) {
  ResponseFraming frame = framing(keep_alive);
  frame.content_length = response.body.size();
  std::string out = response_head(response, frame);
  if (!head_) out += response.body;
  co_return co_await write_all(std::move(out));
}

asio::awaitable<bool> Connection::write_all(std::string data) {
  std::size_t written = 0;
  std::size_t piece_end = 0;
  timed_out_ = false;
  while (written < data.size()) {
    if (closed_) co_return false;
    // At once as a rule: no wait, and no time to keep.
    error_code error;
    written += socket_.write_some(asio::buffer(data) + written, error);
    if (!error) continue;
    if (error != asio::error::would_block && error != asio::error::try_again) co_return false;
    // Anew for each 64 KiB: a reader may be slow, but not as slow as it likes.
    if (written >= piece_end) {
      piece_end = written + kWritePieceBytes;
      deadline_ = Clock::now() + std::chrono::microseconds(context_.options.write_timeout_us);
    }
    writing_ = true;
    co_await socket_.async_wait(tcp::socket::wait_write,
                                asio::redirect_error(asio::use_awaitable, error));
    writing_ = false;
    if (timed_out_) {
      ++context_.counters.write_timeouts;
      co_return false;
    }
    if (error || (making_ && (gone_ || expired_))) co_return false;
  }
  deadline_ = Clock::time_point::max();
  co_return true;
}

// Closing while bytes of the client are unread makes the system throw away our answer on its way,
// so: say that we are done, then read until the client has seen it.
asio::awaitable<void> Connection::close_gently(bool request_was_whole) {
  error_code error;
  socket_.shutdown(tcp::socket::shutdown_send, error);
  if (error || gone_) co_return;
  enter(Phase::kClosing, request_was_whole ? kShortLingerUs : kLingerUs);
  input_.clear();
  reader_.reset();
  while (!ended_ && !timed_out_ && !closed_) {
    keep_reading();
    co_await signal_.wait();
  }
}

}  // namespace hangar
