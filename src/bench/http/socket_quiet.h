// Whether a kept socket is still good for another request.
//
// Promise: looks without taking and without waiting: true only if nothing has come and the other
// side
//   has not closed.
// Threads: any; the socket is used by one at a time.
#pragma once

#include <boost/asio/ip/tcp.hpp>

namespace hangar::bench {

bool socket_quiet(boost::asio::ip::tcp::socket& socket);

}  // namespace hangar::bench
