// What passes between the sockets and the routes: requests read whole, answers whole or in parts.
//
// Promise: plain values and one interface; no sockets and no Beast in them, so that routes are
// tested
//   without either.
// Threads: values. A PendingResponse is driven by one thread; its callback may come from any.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace hangar {

struct HttpRequest {
  std::string method;
  std::string target;        // as sent
  std::string content_type;  // "" where there was none
  std::string request_id;    // goes back as X-Request-Id
  std::string timeout_ms;    // X-Request-Timeout-Ms, "" where there was none
  std::string body;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
};

struct ResponsePart {
  std::optional<HttpResponse> head;  // in the first part only; its body is the start of the body
  bool streaming = false;            // with head: more parts may follow, the length is not known
  std::string bytes;                 // the next bytes of a stream
  bool done = false;                 // nothing follows
  bool close = false;                // with done: the connection ends here
};

// An answer that is still being made. Dropping it stops the work behind it.
class PendingResponse {
 public:
  virtual ~PendingResponse() = default;
  // All that is ready; nullopt: nothing yet. Not called again after a part with `done`.
  virtual std::optional<ResponsePart> advance() = 0;
  // `callback` is called when advance() may have something, at once if it has already. It may come
  // more than once, from any thread, and must only post. Arming again replaces it.
  virtual void on_ready(std::function<void()> callback) = 0;
};

using HandlerResult = std::variant<HttpResponse, std::unique_ptr<PendingResponse>>;

}  // namespace hangar
