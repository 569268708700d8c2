// ScriptServer: for tests: a TCP server on this machine that answers requests with written bytes.
//
// Promise: each request (a head and a body of Content-Length) is given to `answer`, whose bytes are
//   sent in the pieces given, a moment apart; `close_after` ends the connection without a word, as
//   some servers do. Counts connections and keeps what was asked.
// Threads: one thread a connection; the rest from any.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace hangar::bench {

struct ScriptedAnswer {
  std::vector<std::string> pieces;
  bool close_after = false;
  int pause_ms = 1;  // before each piece but the first
};

std::string sse_answer_head();          // status 200, chunked, an event stream
std::string chunked(std::string_view);  // one chunk
std::string plain_answer(int status, std::string_view body);

class ScriptServer {
 public:
  // request: method, target and body, a space between; number counts from 0.
  using Answerer = std::function<ScriptedAnswer(const std::string& request, int number)>;

  explicit ScriptServer(Answerer answer);
  ~ScriptServer();
  std::string url() const;
  int connections() const { return connections_; }
  std::vector<std::string> requests() const;

 private:
  void accept();
  void serve(std::shared_ptr<boost::asio::ip::tcp::socket> socket);

  Answerer answer_;
  boost::asio::io_context io_;
  boost::asio::ip::tcp::acceptor acceptor_;
  std::atomic<int> connections_{0};
  std::atomic<bool> stop_{false};
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
  std::vector<std::shared_ptr<boost::asio::ip::tcp::socket>> sockets_;
  std::vector<std::thread> threads_;
  std::thread acceptor_thread_;
};

}  // namespace hangar::bench
