// The listening socket, and what is said when it cannot be had.
//
// Promise: bound and listening on return.
// Errors: kInvalidArgument (the address), kIo (in use, not permitted: says what to change).
// Threads: any.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <string>

#include "base/result.h"

namespace hangar {

Status open_listener(boost::asio::io_context& io, const std::string& host, std::uint16_t port,
                     boost::asio::ip::tcp::acceptor& acceptor);

}  // namespace hangar
