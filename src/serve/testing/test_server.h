// TestServer: an HttpServer over a MockEngine on a free port, and a plain blocking client for it.
//
// Promise: the server runs on its own thread until the TestServer goes. RawClient sends exactly the
//   bytes it is given, and reads with a time limit, so that no test hangs.
// Threads: one test.
#pragma once

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "serve/gateway.h"
#include "serve/http/server.h"
#include "serve/testing/mock_engine.h"
#include "serve/testing/mock_tokenizer.h"

namespace hangar {

// "mock", a model whose template writes role, content and a mark for each message. Not warmed up.
inline std::unique_ptr<ServedModel> make_cold_mock_model(std::unique_ptr<Engine> engine,
                                                         std::string id = "mock",
                                                         bool with_template = true,
                                                         GenerationDefaults defaults = {}) {
  ChatTemplates templates;
  if (with_template) {
    const std::vector<ChatTemplateSource> sources{
        {"default",
         "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
         "{% if style is defined %}{{ style }}\n{% endif %}"
         "{% if documents %}{{ documents|length }} documents\n{% endif %}"
         "{% if add_generation_prompt %}assistant: {% endif %}"}};
    if (auto parsed = ChatTemplates::parse(sources)) templates = std::move(*parsed);
  }
  return std::make_unique<ServedModel>(std::move(id), std::make_unique<MockTokenizer>(),
                                       std::move(templates), std::move(engine),
                                       std::move(defaults));
}

// The same after its warm-up, which its MockEngine has forgotten.
inline std::unique_ptr<ServedModel> make_mock_model(std::unique_ptr<Engine> engine,
                                                    std::string id = "mock",
                                                    bool with_template = true,
                                                    GenerationDefaults defaults = {}) {
  auto* const mock = dynamic_cast<MockEngine*>(engine.get());
  auto model =
      make_cold_mock_model(std::move(engine), std::move(id), with_template, std::move(defaults));
  (void)model->warm_up();  // an engine that is written to fail stays cold
  if (mock != nullptr) mock->forget();
  return model;
}

struct TestServer {
  explicit TestServer(MockEngine::Options engine_options = {}, HttpServerOptions options = {},
                      const GatewayOptions& limits = {})
      : gateway(limits) {
    auto mock = std::make_unique<MockEngine>(std::move(engine_options));
    engine = mock.get();
    gateway.add(make_mock_model(std::move(mock)));
    options.port = 0;
    server = std::move(HttpServer::listen(options, gateway).value());
    thread = std::thread([this] { server->run(); });
  }
  ~TestServer() {
    server->abort();
    if (thread.joinable()) thread.join();
  }

  Gateway gateway;
  MockEngine* engine = nullptr;
  std::unique_ptr<HttpServer> server;
  std::thread thread;
};

class RawClient {
 public:
  // from: the address of this machine that it comes from.
  explicit RawClient(std::uint16_t port, const char* from = nullptr)
      : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    if (from != nullptr) {
      sockaddr_in own{};
      own.sin_family = AF_INET;
      ::inet_pton(AF_INET, from, &own.sin_addr);
      if (::bind(socket_, reinterpret_cast<sockaddr*>(&own), sizeof(own)) != 0) return;
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  ~RawClient() { close(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool connected() const { return connected_; }
  bool send(std::string_view data) {
    while (!data.empty()) {
      const ssize_t sent = ::send(socket_, data.data(), data.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      data.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  // Reads until `needle` has come (true), the other side closed or the time is up (false).
  bool read_until(std::string_view needle, int timeout_ms = 5000) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
    while (received.find(needle) == std::string::npos) {
      if (!read_some(deadline)) return false;
    }
    return true;
  }
  // One answer with a Content-Length, taken out of `received`; "" if none came.
  std::string read_response() {
    if (!read_until("\r\n\r\n")) return "";
    const std::size_t body = received.find("\r\n\r\n") + 4;
    const std::size_t field = received.find("Content-Length: ");
    std::size_t length = 0;
    if (field < body) length = std::stoul(received.substr(field + 16));
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (received.size() < body + length) {
      if (!read_some(deadline)) return "";
    }
    std::string response = received.substr(0, body + length);
    received.erase(0, body + length);
    return response;
  }
  // True when the server closed within the time; what came first is in `received`.
  bool read_to_end(int timeout_ms = 5000) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
    while (read_some(deadline)) {
    }
    return ended_;
  }
  void finish_sending() { ::shutdown(socket_, SHUT_WR); }
  void close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }
  int descriptor() const { return socket_; }

  std::string received;

 private:
  bool read_some(std::chrono::steady_clock::time_point deadline) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    pollfd poller{socket_, POLLIN, 0};
    if (left.count() <= 0 || ::poll(&poller, 1, static_cast<int>(left.count())) <= 0) return false;
    char buffer[16384];
    const ssize_t count = ::recv(socket_, buffer, sizeof(buffer), 0);
    ended_ = count <= 0;
    if (ended_) return false;
    received.append(buffer, static_cast<std::size_t>(count));
    return true;
  }

  int socket_;
  bool connected_ = false;
  bool ended_ = false;
};

inline std::string post(std::string_view path, std::string_view body,
                        std::string_view more_headers = "") {
  return fmt::format(
      "POST {} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
      "Content-Length: {}\r\n{}\r\n{}",
      path, body.size(), more_headers, body);
}

inline const std::string kGetModels = "GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n";

inline std::string ask_completion(std::string_view more = "") {
  return post("/v1/completions", fmt::format(R"({{"model":"mock","prompt":"hi"{}}})", more));
}

inline MockEngine::Options mock_says(std::string_view text, std::int64_t step_us = 0) {
  return {.scripts = {MockEngine::bytes(text)}, .step_us = step_us};
}

template <typename Condition>
bool eventually(Condition condition, int timeout_ms = 5000) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace hangar
