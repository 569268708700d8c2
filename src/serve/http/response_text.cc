#include "serve/http/response_text.h"

#include <fmt/chrono.h>
#include <fmt/compile.h>
#include <fmt/format.h>

#include <boost/beast/http/status.hpp>
#include <iterator>

namespace hangar {
namespace {

void append_header(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += ": ";
  for (const char c : value) {
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F) out += c;
  }
  out += "\r\n";
}

}  // namespace

std::string_view HttpDate::now() {
  const std::time_t now = std::time(nullptr);
  if (now != made_at_) {
    made_at_ = now;
    text_ = fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(now));
  }
  return text_;
}

std::string response_head(const HttpResponse& response, const ResponseFraming& framing) {
  namespace http = boost::beast::http;
  std::string out;
  // Room for the body too, so that appending it does not copy the head.
  out.reserve(512 + response.body.size());
  const auto reason =
      http::obsolete_reason(http::int_to_status(static_cast<unsigned>(response.status)));
  const auto end = std::back_inserter(out);
  fmt::format_to(end, FMT_COMPILE("HTTP/1.{} {} {}\r\nServer: hangar\r\n"),
                 framing.http_1_1 ? 1 : 0, response.status,
                 std::string_view(reason.data(), reason.size()));
  if (!framing.date.empty()) append_header(out, "Date", framing.date);
  append_header(out, "Content-Type", response.content_type);
  append_header(out, "X-Request-Id", framing.request_id);
  for (const auto& [name, value] : response.headers) append_header(out, name, value);
  if (framing.content_length) {
    fmt::format_to(end, FMT_COMPILE("Content-Length: {}\r\n"), *framing.content_length);
  } else if (framing.http_1_1) {
    out += "Transfer-Encoding: chunked\r\n";
  }
  if (!framing.keep_alive) {
    out += "Connection: close\r\n";
  } else {
    out += "Connection: keep-alive\r\n";
    if (framing.keep_alive_s > 0) {
      fmt::format_to(end, FMT_COMPILE("Keep-Alive: timeout={}\r\n"), framing.keep_alive_s);
    }
  }
  out += "\r\n";
  return out;
}

void append_chunk(std::string& out, std::string_view data) {
  if (data.empty()) return;
  fmt::format_to(std::back_inserter(out), FMT_COMPILE("{:x}\r\n"), data.size());
  out += data;
  out += "\r\n";
}

void append_last_chunk(std::string& out) {
  out += "0\r\n\r\n";
}

}  // namespace hangar
