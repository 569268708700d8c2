#include "serve/http/response_text.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/write.hpp>
#include <ctime>
#include <sstream>

namespace hangar {

namespace http = boost::beast::http;

std::string response_head(const HttpResponse& response, const ResponseFraming& framing) {
  http::response<http::empty_body> message;
  message.version(framing.http_1_1 ? 11 : 10);
  message.result(static_cast<unsigned>(response.status));
  message.set(http::field::server, "hangar");
  message.set(http::field::date,
              fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(std::time(nullptr))));
  message.set(http::field::content_type, response.content_type);
  message.set("X-Request-Id", framing.request_id);
  for (const auto& [name, value] : response.headers) message.set(name, value);
  if (framing.content_length) {
    message.content_length(*framing.content_length);
  } else if (framing.http_1_1) {
    message.chunked(true);
  }
  message.keep_alive(framing.keep_alive);
  if (framing.keep_alive) {
    message.set("Keep-Alive", fmt::format("timeout={}", framing.keep_alive_s));
  }
  std::ostringstream text;
  text << message.base();
  return std::move(text).str();
}

void append_chunk(std::string& out, std::string_view data) {
  if (data.empty()) return;
  fmt::format_to(std::back_inserter(out), "{:x}\r\n", data.size());
  out += data;
  out += "\r\n";
}

void append_last_chunk(std::string& out) {
  out += "0\r\n\r\n";
}

}  // namespace hangar
