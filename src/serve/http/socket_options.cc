#include "serve/http/socket_options.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <limits>

namespace hangar {

void set_socket_options(boost::asio::ip::tcp::socket& socket, std::int64_t write_timeout_us) {
  constexpr int kIdleSeconds = 30;
  constexpr int kProbeSeconds = 10;
  constexpr int kProbes = 3;
  const int descriptor = socket.native_handle();
  const auto set = [descriptor](int level, int name, int value) {
    // What fails here fails on a socket that is broken already, which the first read will tell.
    static_cast<void>(::setsockopt(descriptor, level, name, &value, sizeof(value)));
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
#ifdef TCP_KEEPIDLE
  set(IPPROTO_TCP, TCP_KEEPIDLE, kIdleSeconds);
  set(IPPROTO_TCP, TCP_KEEPINTVL, kProbeSeconds);
  set(IPPROTO_TCP, TCP_KEEPCNT, kProbes);
#endif
#ifdef TCP_USER_TIMEOUT
  // Later than our own limit, which is counted and can tell a slow reader from one that is gone.
  constexpr std::int64_t kLaterMs = 10'000;
  constexpr std::int64_t kMost = std::numeric_limits<int>::max();
  set(IPPROTO_TCP, TCP_USER_TIMEOUT,
      static_cast<int>(std::min(write_timeout_us / 1000 + kLaterMs, kMost)));
#endif
}

}  // namespace hangar
