#include "serve/bench/client_loop.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <ctime>
#include <string_view>

#include "base/clock.h"

namespace hangar {
namespace {

double thread_cpu_s() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

class Descriptor {
 public:
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  ~Descriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Descriptor(Descriptor&& other) noexcept : descriptor_(other.descriptor_) {
    other.descriptor_ = -1;
  }
  Descriptor& operator=(Descriptor&&) = delete;
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

struct Client {
  Descriptor socket;
  std::string received;
  std::int64_t asked_at_us = 0;
};

Result<Client> connect_client(std::uint16_t port) {
  Client client{Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), {}, 0};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(client.socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return make_error(ErrorCode::kIo, "a client could not connect: {}", std::strerror(errno));
  }
  const int on = 1;
  ::setsockopt(client.socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return client;
}

// The answer stands whole at the beginning of `text`.
bool is_whole(std::string_view text) {
  const std::size_t head = text.find("\r\n\r\n");
  if (head == std::string_view::npos) return false;
  constexpr std::string_view kField = "\r\nContent-Length: ";
  const std::size_t field = text.substr(0, head).find(kField);
  if (field == std::string_view::npos) return text.ends_with("\r\n0\r\n\r\n");
  const char* const digits = text.data() + field + kField.size();
  std::size_t length = 0;
  std::from_chars(digits, text.data() + head + 2, length);
  return text.size() >= head + 4 + length;
}

class Loop {
 public:
  Loop(const ClientLoopOptions& options, const std::atomic<bool>& count)
      : options_(options), count_(count), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

  Status open() {
    for (std::int32_t i = 0; i < options_.connections; ++i) {
      HANGAR_TRY(Client client, connect_client(options_.port));
      clients_.push_back(std::move(client));
    }
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.u64 = i;
      ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, clients_[i].socket.get(), &event);
      ask(clients_[i]);
    }
    return {};
  }

  void turn() {
    constexpr int kWaitMs = 50;
    std::array<epoll_event, 256> events{};
    const int count =
        ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), kWaitMs);
    for (int i = 0; i < count; ++i) {
      read(clients_[static_cast<std::size_t>(events[static_cast<std::size_t>(i)].data.u64)]);
    }
  }

  ClientLoopResult result;

 private:
  void ask(Client& client) {
    client.asked_at_us = steady_now_us();
    const ssize_t sent =
        ::send(client.socket.get(), options_.request.data(), options_.request.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(options_.request.size())) lost(client, "could not be asked");
  }

  void read(Client& client) {
    const ssize_t count = ::recv(client.socket.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) return lost(client, "was closed by the server");
    client.received.append(buffer_.data(), static_cast<std::size_t>(count));
    if (!is_whole(client.received)) return;
    take(client);
    client.received.clear();
    ask(client);
  }

  void take(const Client& client) {
    if (!count_.load(std::memory_order_relaxed)) return;
    const bool good = client.received.starts_with("HTTP/1.1 200 ") &&
                      client.received.find(options_.must_hold) != std::string::npos;
    if (!good) return failed("an answer is wrong: " + client.received.substr(0, 400));
    ++result.answers;
    result.latencies_us.push_back(static_cast<std::uint32_t>(steady_now_us() - client.asked_at_us));
  }

  void lost(Client& client, const std::string& what) {
    failed("a connection " + what);
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, client.socket.get(), nullptr);
  }

  void failed(const std::string& what) {
    if (result.errors++ == 0) result.first_error = what;
  }

  const ClientLoopOptions& options_;
  const std::atomic<bool>& count_;
  Descriptor epoll_;
  std::vector<Client> clients_;
  std::array<char, 65536> buffer_{};
};

}  // namespace

Result<ClientLoopResult> run_client_loop(const ClientLoopOptions& options,
                                         const std::atomic<bool>& count,
                                         const std::atomic<bool>& stop) {
  Loop loop(options, count);
  HANGAR_CHECK_OK(loop.open());
  while (!count.load(std::memory_order_relaxed) && !stop.load(std::memory_order_relaxed)) {
    loop.turn();
  }
  const double cpu_before_s = thread_cpu_s();
  while (!stop.load(std::memory_order_relaxed)) loop.turn();
  loop.result.cpu_s = thread_cpu_s() - cpu_before_s;
  return std::move(loop.result);
}

}  // namespace hangar
