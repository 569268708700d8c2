// Options of accepted sockets: no waiting to fill packets, and peers that are gone are noticed.
//
// Promise: a peer whose machine has vanished costs its connection after about a minute of silence,
//   or once bytes sent to it go unacknowledged for write_timeout_us and 10 s.
// Errors: options that the system lacks are left out.
// Threads: any.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>

namespace hangar {

void set_socket_options(boost::asio::ip::tcp::socket& socket, std::int64_t write_timeout_us);

}  // namespace hangar
