// Refusal: the answer for a connection that gets no place: said at once, before it is asked, then
// closed so that the client sees it.
//
// Promise: an HTTP error in OpenAI's envelope with Retry-After and "Connection: close". It costs no
//   handler and at most `linger_us`, within which the client is waited for.
// Threads: the io_context's one thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <string>

namespace hangar {

// The whole answer as bytes.
std::string refusal_text(int status, std::string message, const std::string& request_id);

boost::asio::awaitable<void> refuse(boost::asio::ip::tcp::socket socket, std::string text,
                                    std::int64_t linger_us);
// The same without waiting for anything: a client whose request is under way may see the connection
// break instead of the answer.
void refuse_at_once(boost::asio::ip::tcp::socket socket, const std::string& text);

}  // namespace hangar
