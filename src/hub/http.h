// HttpClient: HTTP requests over libcurl, many at once, on the caller's thread.
//
// Promise: step() moves every running request on and calls its sink: head() once with the answer
// that
//   is no redirect, body() with its bytes, end() last, exactly once. The bearer token goes to the
//   endpoint's own origin (scheme, host and port) and to no other, however an answer redirects. A
//   redirect from https to http is not followed. Proxies are taken from the environment as libcurl
//   does. Requests that stand still for stall_us end as kStalled.
// Errors: in the outcome, never with a query (a signed URL is a secret) or a password in the words.
// Threads: one at a time; make_http_client (which loads libcurl) before other threads that use
// libcurl start.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hangar::hub {

struct HttpHead {
  int status = 0;
  std::int64_t content_bytes = -1;  // what Content-Length says; -1: nothing
  std::string etag;                 // of the answer itself
  std::string content_range;
  std::string link;
  std::int64_t retry_after_us = 0;
  // From any answer on the way: the hub's own come with the redirect.
  std::string repo_commit;    // X-Repo-Commit
  std::string linked_size;    // X-Linked-Size
  std::string error_code;     // X-Error-Code: "GatedRepo"
  std::string error_message;  // X-Error-Message
  bool from_endpoint = true;  // not from where a redirect led
};

enum class HttpEnd : std::uint8_t {
  kComplete,     // the whole answer came, whatever its status
  kUnreachable,  // no connection: name, route, refused
  kBroken,       // the connection ended before the answer did
  kStalled,
  kSinkStopped,  // head() or body() said no
  kRefused,      // cannot succeed as asked: certificate, URL, redirects without end
};

struct HttpOutcome {
  HttpEnd end = HttpEnd::kComplete;
  std::string words;  // what happened, where it is not kComplete
};

class HttpSink {
 public:
  virtual ~HttpSink() = default;
  virtual bool head(const HttpHead& head) = 0;
  virtual bool body(std::string_view bytes) = 0;
  virtual void end(const HttpOutcome& outcome) = 0;
};

struct HttpRequest {
  std::string url;
  std::vector<std::string> headers;  // "Range: bytes=100-"
};

struct HttpOptions {
  std::string endpoint;               // "https://huggingface.co"
  std::string token = {};             // "" for none
  std::string user_agent = "hangar";  // "hangar/0.1.0"
  std::int64_t connect_us = 10'000'000;
  std::int64_t stall_us = 30'000'000;
};

class HttpClient {
 public:
  virtual ~HttpClient() = default;
  // The sink lives until its end() or until cancel(sink).
  virtual Status start(const HttpRequest& request, HttpSink& sink) = 0;
  virtual void cancel(HttpSink& sink) = 0;  // without end()
  // Waits at most wait_us for something to happen. A sink may start new requests from end().
  virtual Status step(std::int64_t wait_us) = 0;
};

Result<std::unique_ptr<HttpClient>> make_http_client(HttpOptions options);

// Whether two URLs have one scheme, host and port.
bool same_origin(const std::string& a, const std::string& b);
// For messages: without user, password, query and fragment.
std::string shown_url(const std::string& url);
// One path segment, percent-encoded; with keep_slashes a whole path.
std::string url_encoded(std::string_view text, bool keep_slashes);

}  // namespace hangar::hub
