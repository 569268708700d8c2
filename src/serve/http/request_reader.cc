#include "serve/http/request_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/parser.hpp>
#include <cstdint>
#include <limits>
#include <new>
#include <utility>

namespace hangar {
namespace {

namespace http = boost::beast::http;
using boost::beast::iequals;
using boost::system::error_code;

std::string_view view(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

// A client's own id is sent back if it is harmless in a header and in a log line.
bool is_plain_id(std::string_view id) {
  constexpr std::size_t kMaxIdBytes = 128;
  return !id.empty() && id.size() <= kMaxIdBytes && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == ':';
  });
}

// As Beast's string_body, but without room made for a length that is only announced.
struct GrowingBody {
  using value_type = std::string;
  static std::uint64_t size(const value_type& body) { return body.size(); }

  class reader {
   public:
    template <bool kRequest, typename Fields>
    reader(http::header<kRequest, Fields>& /*header*/, value_type& body) : body_(body) {}
    void init(const boost::optional<std::uint64_t>& /*length*/, error_code& error) { error = {}; }
    template <typename Buffers>
    std::size_t put(const Buffers& buffers, error_code& error) {
      error = {};
      std::size_t count = 0;
      for (const boost::asio::const_buffer buffer : boost::beast::buffers_range_ref(buffers)) {
        body_.append(static_cast<const char*>(buffer.data()), buffer.size());
        count += buffer.size();
      }
      return count;
    }
    void finish(error_code& error) { error = {}; }

   private:
    value_type& body_;
  };
};

}  // namespace

struct RequestReader::Impl {
  explicit Impl(BodyBudget* budget) : lease(budget) {}

  http::request_parser<GrowingBody> parser;
  BodyLease lease;
  State state = State::kHeader;
  bool begun = false;  // a byte of the request itself has been taken
  bool expects_continue = false;
  int failure_status = 400;
  std::string failure;
  std::size_t max_header_bytes;
  std::size_t max_body_bytes;

  void fail(int status, std::string message) {
    state = State::kFailed;
    failure_status = status;
    failure = std::move(message);
  }

  void fail(const error_code& error) {
    if (error == http::error::header_limit) {
      fail(431, fmt::format("the request's header is larger than {} bytes", max_header_bytes));
    } else if (error == http::error::body_limit) {
      fail(413, fmt::format("the request's body is larger than {} bytes", max_body_bytes));
    } else if (error == http::error::bad_version) {
      fail(505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    } else {
      fail(400, fmt::format("this is not a valid HTTP request: {}", error.message()));
    }
  }

  // The header is in: what Beast lets pass and we don't.
  void check_header() {
    const auto& message = parser.get();
    if (message.version() != 10 && message.version() != 11) {
      return fail(505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    }
    const auto hosts = message.equal_range(http::field::host);
    const auto host_count = std::distance(hosts.first, hosts.second);
    if (host_count > 1 || (host_count == 0 && message.version() == 11)) {
      return fail(400, "an HTTP/1.1 request has exactly one Host header");
    }
    const auto codings = message.equal_range(http::field::transfer_encoding);
    for (auto coding = codings.first; coding != codings.second; ++coding) {
      if (!iequals(coding->value(), "chunked")) {
        return fail(501, "the only transfer coding understood is \"chunked\"");
      }
    }
    if (codings.first != codings.second && message.version() == 10) {
      return fail(400, "HTTP/1.0 has no transfer codings");
    }
    const auto encoding = message[http::field::content_encoding];
    if (!encoding.empty() && !iequals(encoding, "identity")) {
      return fail(415, "the body must not be compressed (Content-Encoding)");
    }
    const auto expect = message[http::field::expect];
    if (!expect.empty() && !iequals(expect, "100-continue")) {
      return fail(417, "the only expectation understood is \"100-continue\"");
    }
    expects_continue = !expect.empty() && message.version() == 11;
    state = parser.is_done() ? State::kDone : State::kBody;
    parser.eager(true);
  }
};

RequestReader::RequestReader(std::size_t max_header_bytes, std::size_t max_body_bytes,
                             BodyBudget* budget)
    : impl_(std::make_unique<Impl>(budget)) {
  constexpr std::size_t kMost = std::numeric_limits<std::uint32_t>::max();
  impl_->max_header_bytes = max_header_bytes;
  impl_->max_body_bytes = max_body_bytes;
  impl_->parser.header_limit(static_cast<std::uint32_t>(std::min(max_header_bytes, kMost)));
  impl_->parser.body_limit(std::uint64_t{max_body_bytes});
}

RequestReader::~RequestReader() = default;

std::size_t RequestReader::feed(std::string_view bytes) {
  Impl& impl = *impl_;
  std::size_t taken = 0;
  if (!impl.begun) {
    // Empty lines before a request are to be ignored.
    const std::size_t start = bytes.find_first_not_of("\r\n");
    taken = start == std::string_view::npos ? bytes.size() : start;
  }
  while (taken < bytes.size() && (impl.state == State::kHeader || impl.state == State::kBody)) {
    const std::string_view rest = bytes.substr(taken);
    error_code error;
    std::size_t used = 0;
    try {
      used = impl.parser.put(boost::asio::const_buffer(rest.data(), rest.size()), error);
    } catch (const std::bad_alloc&) {
      impl.fail(503, "out of memory for the request's body");
      break;
    }
    taken += used;
    impl.begun = impl.begun || used > 0;
    if (!impl.lease.grow_to(impl.parser.get().body().size())) {
      impl.fail(503, "the server holds as many request bodies as it can; try again");
      break;
    }
    if (error == http::error::need_more) {
      // A chunk's header or trailer that never ends is no reason to keep all of it.
      if (rest.size() - used > impl.max_header_bytes + (std::size_t{64} << 10U)) {
        impl.fail(431, "a line of the chunked body is too long");
      }
      break;
    }
    if (error) {
      impl.fail(error);
    } else if (impl.state == State::kHeader && impl.parser.is_header_done()) {
      impl.check_header();
    } else if (impl.state == State::kBody && impl.parser.is_done()) {
      impl.state = State::kDone;
    } else if (used == 0) {
      break;
    }
  }
  return taken;
}

RequestReader::State RequestReader::state() const {
  return impl_->state;
}
bool RequestReader::begun() const {
  return impl_->begun;
}
std::uint64_t RequestReader::counted_bytes() const {
  return impl_->lease.held_bytes();
}
bool RequestReader::expects_continue() const {
  return impl_->expects_continue;
}
bool RequestReader::keep_alive() const {
  return impl_->parser.get().keep_alive();
}
bool RequestReader::http_1_1() const {
  return impl_->parser.get().version() == 11;
}
int RequestReader::failure_status() const {
  return impl_->failure_status;
}
const std::string& RequestReader::failure() const {
  return impl_->failure;
}

HttpRequest RequestReader::take() {
  auto& message = impl_->parser.get();
  HttpRequest request;
  request.method = view(message.method_string());
  request.target = view(message.target());
  request.content_type = view(message[http::field::content_type]);
  const std::string_view id = view(message["X-Request-Id"]);
  if (is_plain_id(id)) request.request_id = id;
  request.timeout_ms = view(message["X-Request-Timeout-Ms"]);
  request.body = std::move(message.body());
  return request;
}
BodyLease RequestReader::take_lease() {
  return std::move(impl_->lease);
}

}  // namespace hangar
