#include "bench/testing/script_server.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <cstdlib>
#include <optional>

namespace hangar::bench {
namespace {

namespace asio = boost::asio;
using boost::asio::ip::tcp;

// Method, target and body of the request at the front of `input`, which loses it.
std::optional<std::string> take_request(std::string& input) {
  const std::size_t head_end = input.find("\r\n\r\n");
  if (head_end == std::string::npos) return std::nullopt;
  const std::string head = input.substr(0, head_end);
  std::size_t body_bytes = 0;
  constexpr std::string_view kLength = "Content-Length: ";
  if (const std::size_t at = head.find(kLength); at != std::string::npos) {
    body_bytes = std::strtoul(head.c_str() + at + kLength.size(), nullptr, 10);
  }
  if (input.size() < head_end + 4 + body_bytes) return std::nullopt;
  const std::string line = head.substr(0, head.find(" HTTP/1.1"));
  const std::string body = input.substr(head_end + 4, body_bytes);
  input.erase(0, head_end + 4 + body_bytes);
  return body.empty() ? line : line + " " + body;
}

}  // namespace

std::string sse_answer_head() {
  return "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
}
std::string chunked(std::string_view data) {
  return fmt::format("{:x}\r\n{}\r\n", data.size(), data);
}
std::string plain_answer(int status, std::string_view body) {
  return fmt::format(
      "HTTP/1.1 {} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}", status,
      body.size(), body);
}

ScriptServer::ScriptServer(Answerer answer)
    : answer_(std::move(answer)),
      acceptor_(io_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
      acceptor_thread_([this] { accept(); }) {}

ScriptServer::~ScriptServer() {
  stop_ = true;
  // Wakes the accept that waits, and the reads.
  ::shutdown(acceptor_.native_handle(), SHUT_RDWR);
  acceptor_thread_.join();
  {
    const std::lock_guard lock(mutex_);
    for (const auto& socket : sockets_) ::shutdown(socket->native_handle(), SHUT_RDWR);
  }
  for (std::thread& thread : threads_) thread.join();
}

std::string ScriptServer::url() const {
  return fmt::format("http://127.0.0.1:{}", acceptor_.local_endpoint().port());
}

std::vector<std::string> ScriptServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void ScriptServer::accept() {
  while (!stop_) {
    auto socket = std::make_shared<tcp::socket>(io_);
    boost::system::error_code error;
    acceptor_.accept(*socket, error);
    if (error || stop_) return;
    ++connections_;
    {
      const std::lock_guard lock(mutex_);
      sockets_.push_back(socket);
    }
    threads_.emplace_back([this, socket] { serve(socket); });
  }
}

void ScriptServer::serve(std::shared_ptr<tcp::socket> socket) {
  std::string input;
  while (true) {
    std::optional<std::string> request;
    while (!(request = take_request(input))) {
      char space[4096];
      boost::system::error_code error;
      const std::size_t count = socket->read_some(asio::buffer(space), error);
      if (error) return;
      input.append(space, count);
    }
    int number = 0;
    {
      const std::lock_guard lock(mutex_);
      number = static_cast<int>(requests_.size());
      requests_.push_back(*request);
    }
    const ScriptedAnswer answer = answer_(*request, number);
    for (std::size_t i = 0; i < answer.pieces.size(); ++i) {
      if (i > 0) std::this_thread::sleep_for(std::chrono::milliseconds(answer.pause_ms));
      boost::system::error_code error;
      asio::write(*socket, asio::buffer(answer.pieces[i]), error);
      if (error) return;
    }
    if (answer.close_after) {
      // As a close: nothing more is read or written, the descriptor itself goes with the server.
      ::shutdown(socket->native_handle(), SHUT_RDWR);
      return;
    }
  }
}

}  // namespace hangar::bench
