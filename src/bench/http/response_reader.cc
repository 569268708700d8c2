#include "bench/http/response_reader.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

namespace hangar::bench {
namespace {

namespace http = boost::beast::http;
using boost::system::error_code;

constexpr std::uint32_t kMaxHeaderBytes = 256U << 10U;

}  // namespace

struct ResponseReader::Impl {
  http::response_parser<http::string_body> parser;
};

ResponseReader::ResponseReader() : impl_(std::make_unique<Impl>()) {
  impl_->parser.header_limit(kMaxHeaderBytes);
  impl_->parser.body_limit(boost::none);
  impl_->parser.eager(true);
}

ResponseReader::~ResponseReader() = default;

Result<std::size_t> ResponseReader::feed(std::string_view bytes, BodySink sink) {
  auto& parser = impl_->parser;
  std::size_t taken = 0;
  while (taken < bytes.size() && !parser.is_done()) {
    error_code error;
    const std::size_t used =
        parser.put(boost::asio::const_buffer(bytes.data() + taken, bytes.size() - taken), error);
    taken += used;
    std::string& body = parser.get().body();
    if (!body.empty()) {
      sink(body);
      body.clear();
    }
    if (error == http::error::need_more || (!error && used == 0)) break;
    if (error) {
      return make_error(ErrorCode::kCorrupt, "not a valid HTTP answer: {}", error.message());
    }
  }
  return taken;
}

bool ResponseReader::at_end() {
  auto& parser = impl_->parser;
  if (!parser.is_done() && parser.is_header_done()) {
    error_code error;
    parser.put_eof(error);
    if (error) return false;
  }
  return parser.is_done();
}

bool ResponseReader::done() const {
  return impl_->parser.is_done();
}
bool ResponseReader::header_done() const {
  return impl_->parser.is_header_done();
}
int ResponseReader::status() const {
  return static_cast<int>(impl_->parser.get().result_int());
}
std::string ResponseReader::content_type() const {
  return header("Content-Type");
}
std::string ResponseReader::header(std::string_view name) const {
  const auto value = impl_->parser.get()[{name.data(), name.size()}];
  return {value.data(), value.size()};
}
bool ResponseReader::keep_alive() const {
  return impl_->parser.get().keep_alive() && !impl_->parser.get().need_eof();
}

}  // namespace hangar::bench
