#include "hub/testing/scripted_client.h"

#include <algorithm>
#include <utility>

namespace hangar::hub {

Status ScriptedClient::start(const HttpRequest& request, HttpSink& sink) {
  requests.push_back(request);
  waiting_.push_back(&sink);
  return {};
}

void ScriptedClient::cancel(HttpSink& sink) {
  std::erase(waiting_, &sink);
}

Status ScriptedClient::step(std::int64_t) {
  if (waiting_.empty()) return {};
  if (answers.empty()) return make_error(ErrorCode::kInternal, "a request that was not foreseen");
  HttpSink& sink = *waiting_.front();
  waiting_.pop_front();
  ScriptedAnswer answer = std::move(answers.front());
  answers.pop_front();
  const bool head_taken = answer.outcome.end == HttpEnd::kUnreachable || sink.head(answer.head);
  if (!head_taken || (!answer.body.empty() && !sink.body(answer.body))) {
    answer.outcome = {HttpEnd::kSinkStopped, "stopped"};
  }
  sink.end(answer.outcome);
  return {};
}

}  // namespace hangar::hub
