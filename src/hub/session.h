// Session: what every conversation with a hub needs: who to ask, how patiently, and who is told.
//
// Promise: fetch_text gets a small answer whole, retrying as the policy says; an answer that is not
//   200 becomes an error which names the repository, the licence or the token, whichever it is.
// Units: microseconds.
// Errors: kCancelled as soon as `cancelled` says so; kNotFound, kInvalidArgument (no permission),
//   kUnavailable, kDeadlineExceeded; kIo (no connection can be made: a certificate); kCorrupt where
//   the answer is longer than asked for.
// Threads: the caller's; HubWatcher's calls come on that thread.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include "base/result.h"
#include "hub/http.h"
#include "hub/retry_policy.h"

namespace hangar::hub {

// Who is told how a long work goes on, and may end it.
class HubWatcher {
 public:
  virtual ~HubWatcher() = default;
  virtual bool cancelled() = 0;
  // A remark for people: "429 Too Many Requests; waiting 5 s".
  virtual void note(std::string_view text) = 0;
  // Long work begins: `what` of `total_bytes`; then how far it is; a file is done; all is.
  virtual void begin(std::string_view what, std::uint64_t total_bytes) = 0;
  virtual void progress(std::uint64_t done_bytes) = 0;
  virtual void file_done(std::string_view path, std::uint64_t bytes) = 0;
  virtual void end() = 0;
};

struct Session {
  HttpClient& client;
  HubWatcher& watcher;
  std::string endpoint;  // without '/' at its end
  bool has_token = false;
  RetryPolicy policy;
  std::mt19937_64 random;
};

struct TextAnswer {
  HttpHead head;
  std::string body;
};

// `what` is asked for, in messages: "hf:org/name".
Result<TextAnswer> fetch_text(Session& session, const std::string& url, std::string_view what);

// What a status that is not 200 means, told by the hub's own codes where there are any.
Error status_error(const Session& session, const HttpHead& head, std::string_view what);
Error cancelled_error();
std::int64_t monotonic_us();

}  // namespace hangar::hub
