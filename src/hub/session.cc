#include "hub/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "base/units.h"

namespace hangar::hub {
namespace {

constexpr std::size_t kMostTextBytes = 64U << 20U;
constexpr std::int64_t kLookAgainUs = 100'000;

class TextSink : public HttpSink {
 public:
  bool head(const HttpHead& head) override {
    answer.head = head;
    return true;
  }
  bool body(std::string_view bytes) override {
    if (answer.body.size() + bytes.size() > kMostTextBytes) return false;
    answer.body += bytes;
    return true;
  }
  void end(const HttpOutcome& how) override {
    outcome = how;
    ended = true;
  }

  TextAnswer answer;
  HttpOutcome outcome;  // once it has ended
  bool ended = false;
};

Status wait_for(Session& session, std::int64_t wait_us) {
  const std::int64_t until_us = monotonic_us() + wait_us;
  while (monotonic_us() < until_us) {
    if (session.watcher.cancelled()) return tl::unexpected<Error>(cancelled_error());
    HANGAR_CHECK_OK(session.client.step(std::min(kLookAgainUs, until_us - monotonic_us())));
  }
  return {};
}

Result<TextSink> ask_once(Session& session, const std::string& url) {
  TextSink sink;
  HANGAR_CHECK_OK(session.client.start({url, {}}, sink));
  while (!sink.ended) {
    if (session.watcher.cancelled()) {
      session.client.cancel(sink);
      return tl::unexpected<Error>(cancelled_error());
    }
    if (Status moved = session.client.step(kLookAgainUs); !moved) {
      session.client.cancel(sink);
      return tl::unexpected<Error>(std::move(moved.error()));
    }
  }
  return sink;
}

// The hub's own words, one line and not long.
std::string hub_words(const HttpHead& head) {
  std::string words;
  for (const char c : std::string_view(head.error_message).substr(0, 300)) {
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) words += c;
  }
  return words.empty() ? "" : fmt::format(" (the hub says: {})", words);
}

}  // namespace

Error cancelled_error() {
  return {ErrorCode::kCancelled, "interrupted"};
}

std::int64_t monotonic_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

Error status_error(const Session& session, const HttpHead& head, std::string_view what) {
  const std::string_view code = head.error_code;
  const auto error = [&](ErrorCode kind, std::string_view words) {
    return Error{kind, fmt::format("{}: {}{}", what, words, hub_words(head))};
  };
  const bool denied = head.status == 401 || head.status == 403;
  if (denied && code == "RepoNotFound" && session.has_token) {
    return error(ErrorCode::kNotFound, "no such repository, or one that your token may not see");
  }
  if (denied && code == "RepoNotFound") {
    return error(ErrorCode::kNotFound,
                 "no such repository; a private one needs a token in HF_TOKEN");
  }
  if (denied && (code == "GatedRepo" || session.has_token)) {
    return error(
        ErrorCode::kInvalidArgument,
        fmt::format("access denied ({}): the repository asks to accept its licence: do so on its "
                    "page at {}, then set HF_TOKEN to a token of that account that may read it",
                    head.status, shown_url(session.endpoint)));
  }
  if (denied) {
    return error(ErrorCode::kInvalidArgument,
                 fmt::format("access denied ({}): a private or gated repository; accept its "
                             "licence on its page at {} and set HF_TOKEN to your token",
                             head.status, shown_url(session.endpoint)));
  }
  if (head.status == 404 || head.status == 410) {
    if (code == "RevisionNotFound") {
      return error(ErrorCode::kNotFound, "the repository has no such branch, tag or commit");
    }
    if (code == "EntryNotFound") return error(ErrorCode::kNotFound, "the hub has no such file");
    if (code == "RepoNotFound") return error(ErrorCode::kNotFound, "no such repository");
    return error(ErrorCode::kNotFound, "not found (404): no such repository, revision or file");
  }
  return error(ErrorCode::kUnavailable, fmt::format("the hub answered {}", head.status));
}

Result<TextAnswer> fetch_text(Session& session, const std::string& url, std::string_view what) {
  for (int failures = 1;; ++failures) {
    HANGAR_TRY(TextSink sink, ask_once(session, url));
    const HttpOutcome& outcome = sink.outcome;
    const HttpHead& head = sink.answer.head;
    Error error{ErrorCode::kUnavailable, outcome.words};
    int most = session.policy.most_retries;
    std::int64_t retry_after_us = 0;
    switch (outcome.end) {
      case HttpEnd::kComplete:
        if (head.status == 200) return std::move(sink.answer);
        error = status_error(session, head, what);
        if (!is_passing_status(head.status)) return tl::unexpected<Error>(std::move(error));
        retry_after_us = head.retry_after_us;
        break;
      case HttpEnd::kSinkStopped:
        return make_error(ErrorCode::kCorrupt, "{}: the hub's answer is longer than {}", what,
                          format_bytes(kMostTextBytes));
      case HttpEnd::kRefused:
        error.code = ErrorCode::kIo;  // a certificate, an address: trying again helps nothing
        return tl::unexpected<Error>(std::move(error));
      case HttpEnd::kUnreachable:
        most = std::min(most, kMostUnreachableRetries);
        break;
      case HttpEnd::kStalled:
        error.code = ErrorCode::kDeadlineExceeded;
        break;
      case HttpEnd::kBroken:
        break;
    }
    const auto wait_us =
        failures > most ? std::nullopt
                        : retry_wait_us(session.policy, failures, retry_after_us, session.random());
    if (!wait_us) {
      if (retry_after_us > session.policy.most_retry_after_us) {
        error.message +=
            fmt::format("; it asks to come back in {}", format_duration(retry_after_us));
      } else if (failures > 1) {
        error.message += fmt::format("; gave up after {} tries", failures);
      }
      return tl::unexpected<Error>(std::move(error));
    }
    session.watcher.note(
        fmt::format("{}; trying again in {}", error.message, format_duration(*wait_us)));
    HANGAR_CHECK_OK(wait_for(session, *wait_us));
  }
}

}  // namespace hangar::hub
