#include "bench/http/client.h"

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <utility>

#include "base/version.h"
#include "bench/http/response_reader.h"

namespace hangar::bench {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

bool is_tls_error(const error_code& error) {
  return error.category() == asio::error::get_ssl_category() ||
         error.category() == asio::ssl::error::get_stream_category();
}

}  // namespace

// A connection for the time of one exchange, known to stop().
class HttpClient::Lease {
 public:
  explicit Lease(HttpClient& client) : client_(client) {}
  ~Lease() { drop(); }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  void hold(std::unique_ptr<ByteStream> stream) {
    drop();
    stream_ = std::move(stream);
    client_.busy_.insert(stream_.get());
  }
  void drop() {
    if (stream_ == nullptr) return;
    client_.busy_.erase(stream_.get());
    stream_.reset();
  }
  void keep() {
    client_.busy_.erase(stream_.get());
    client_.kept_.push_back(std::move(stream_));
  }
  ByteStream* stream() { return stream_.get(); }

  bool timed_out = false;

 private:
  HttpClient& client_;
  std::unique_ptr<ByteStream> stream_;
};

Result<std::unique_ptr<HttpClient>> HttpClient::make(asio::io_context& io, ServerUrl url,
                                                     const HttpClientOptions& options) {
  std::unique_ptr<HttpClient> client(new HttpClient(io, std::move(url), options));
  if (client->url_.tls) {
    HANGAR_TRY(client->tls_, make_tls_context(options.verify_certificate));
  }
  asio::ip::tcp::resolver resolver(io);
  error_code error;
  const auto found = resolver.resolve(client->url_.host, client->url_.port, error);
  if (error) {
    return make_error(ErrorCode::kNotFound, "{}: {}", client->url_.host, error.message());
  }
  for (const auto& entry : found) client->endpoints_.push_back(entry.endpoint());
  return client;
}

std::unique_ptr<ByteStream> HttpClient::take_kept() {
  while (!kept_.empty()) {
    std::unique_ptr<ByteStream> stream = std::move(kept_.back());
    kept_.pop_back();
    if (stream->quiet()) return stream;
  }
  return nullptr;
}

std::unique_ptr<ByteStream> HttpClient::make_stream() {
  ++connections_opened_;
  return tls_ == nullptr ? make_plain_stream(io_.get_executor())
                         : tls_->make_stream(io_.get_executor(), url_.host);
}

std::string HttpClient::request_text(const HttpAsk& ask) const {
  std::string text = fmt::format(
      "{} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: hangar-bench/{}\r\nAccept: application/json, "
      "text/event-stream\r\n",
      ask.method, ask.target, url_.host_header(), kVersion);
  if (!options_.authorization.empty()) {
    text += fmt::format("Authorization: {}\r\n", options_.authorization);
  }
  if (ask.method != "GET") {
    text +=
        fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", ask.body.size());
  }
  text += "\r\n";
  text += ask.body;
  return text;
}

// Writes the request and reads the answer on the lease's connection. false: the connection broke
// before anything of an answer came.
asio::awaitable<bool> HttpClient::attempt(Lease& lease, std::string_view request,
                                          const HttpBodySink& sink, Exchange& result) {
  constexpr std::size_t kReadBytes = 8U << 10U;
  ByteStream& stream = *lease.stream();
  const auto broke = [&](const error_code& error) {
    result.error = is_tls_error(error) ? "tls" : "closed";
    result.detail = error.message();
  };
  error_code error;
  co_await stream.write(request, error);
  if (error) {
    broke(error);
    co_return false;
  }
  ResponseReader reader;
  std::string content_type;
  bool wanted = true;
  const auto pass_on = [&](std::string_view bytes) {
    if (content_type.empty()) content_type = reader.content_type();
    wanted = wanted && sink(reader.status(), content_type, bytes);
  };
  std::string input;
  std::array<char, kReadBytes> space;
  bool anything = false;
  while (!reader.done()) {
    const std::size_t count =
        co_await stream.read_some(asio::buffer(space.data(), space.size()), error);
    if (error) {
      if (anything && error == asio::error::eof && reader.at_end()) break;
      broke(error);
      co_return anything;
    }
    anything = true;
    input.append(space.data(), count);
    const auto taken = reader.feed(input, pass_on);
    if (!taken) {
      result.error = "not http";
      result.detail = taken.error().message;
      co_return true;
    }
    input.erase(0, *taken);
    if (!wanted) {
      result.abandoned = true;
      result.status = reader.status();
      co_return true;
    }
  }
  result.error.clear();
  result.detail.clear();
  result.status = reader.status();
  if (reader.keep_alive() && input.empty() && !stopped_) lease.keep();
  co_return true;
}

asio::awaitable<Exchange> HttpClient::exchange(HttpAsk ask, HttpBodySink sink) {
  Exchange result;
  if (stopped_) {
    result.error = "closed";
    co_return result;
  }
  const std::string request = request_text(ask);
  Lease lease(*this);
  asio::steady_timer timer(io_, std::chrono::microseconds(options_.timeout_us));
  // A handler that is due already can't be cancelled: it must see that the lease is gone.
  const auto current = std::make_shared<Lease*>(&lease);
  timer.async_wait([current](const error_code& error) {
    if (error || *current == nullptr) return;
    (*current)->timed_out = true;
    if ((*current)->stream() != nullptr) (*current)->stream()->close();
  });

  bool answered = false;
  if (auto kept = take_kept()) {
    lease.hold(std::move(kept));
    answered = co_await attempt(lease, request, sink, result);
    result.reconnected = !answered && !lease.timed_out && !stopped_;
  }
  if (!answered && !lease.timed_out && !stopped_) {
    lease.hold(make_stream());
    error_code error;
    co_await lease.stream()->connect(endpoints_, error);
    if (error) {
      result.error = is_tls_error(error) ? "tls" : "connect";
      result.detail = error.message();
    } else {
      co_await attempt(lease, request, sink, result);
    }
  }
  if (lease.timed_out) {
    result.error = "timeout";
    result.detail = fmt::format("no whole answer in {} s", options_.timeout_us / 1'000'000);
  } else if (stopped_ && result.error.empty() && result.status == 0) {
    result.error = "closed";
  }
  *current = nullptr;
  timer.cancel();
  co_return result;
}

void HttpClient::stop() {
  stopped_ = true;
  for (ByteStream* stream : busy_) stream->close();
  kept_.clear();
}

}  // namespace hangar::bench
