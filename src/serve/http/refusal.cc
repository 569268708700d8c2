#include "serve/http/refusal.h"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <memory>
#include <utility>

#include "serve/http/response_text.h"
#include "serve/openai/api_error.h"

namespace hangar {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

std::string refusal_text(int status, std::string message, const std::string& request_id) {
  ApiError error;
  error.status = status;
  error.message = std::move(message);
  error.type = status == 429 ? "rate_limit_error" : "server_error";
  error.code = status == 429 ? "too_many_connections" : "unavailable";
  const HttpResponse response = error_response(error);
  HttpDate date;
  ResponseFraming framing;
  framing.keep_alive = false;
  framing.content_length = response.body.size();
  framing.request_id = request_id;
  framing.date = date.now();
  return response_head(response, framing) + response.body;
}

asio::awaitable<void> refuse(tcp::socket socket, std::string text, std::int64_t linger_us) {
  auto kept = std::make_shared<tcp::socket>(std::move(socket));
  asio::steady_timer timer(kept->get_executor());
  timer.expires_after(std::chrono::microseconds(linger_us));
  timer.async_wait([kept](const error_code& error) {
    error_code ignored;
    if (!error) kept->cancel(ignored);
  });
  error_code error;
  kept->non_blocking(true, error);
  // It fits the socket's empty buffer; what does not is of a client that is gone.
  kept->write_some(asio::buffer(text), error);
  if (!error) kept->shutdown(tcp::socket::shutdown_send, error);
  std::array<char, 4096> ignored_bytes{};
  // What the client has sent is read away: closing over it would take our answer back.
  while (!error) {
    co_await kept->async_read_some(asio::buffer(ignored_bytes),
                                   asio::redirect_error(asio::use_awaitable, error));
  }
  timer.cancel();
  kept->close(error);
}

void refuse_at_once(tcp::socket socket, const std::string& text) {
  error_code error;
  socket.non_blocking(true, error);
  std::array<char, 4096> ignored_bytes{};
  socket.write_some(asio::buffer(text), error);
  if (!error) socket.shutdown(tcp::socket::shutdown_send, error);
  if (!error) socket.read_some(asio::buffer(ignored_bytes), error);
  socket.close(error);
}

}  // namespace hangar
