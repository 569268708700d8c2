// ScriptedClient: an HttpClient that answers from a list, for tests; no network, no time passes.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "hub/http.h"
#include "hub/session.h"

namespace hangar::hub {

struct ScriptedAnswer {
  HttpHead head;
  std::string body;
  HttpOutcome outcome = {};
};

class ScriptedClient : public HttpClient {
 public:
  Status start(const HttpRequest& request, HttpSink& sink) override;
  void cancel(HttpSink& sink) override;
  Status step(std::int64_t wait_us) override;

  std::deque<ScriptedAnswer> answers;
  std::vector<HttpRequest> requests;

 private:
  std::deque<HttpSink*> waiting_;
};

// Remembers what it is told.
class SilentWatcher : public HubWatcher {
 public:
  bool cancelled() override { return stop; }
  void note(std::string_view text) override { notes.emplace_back(text); }
  void begin(std::string_view, std::uint64_t) override {}
  void progress(std::uint64_t) override {}
  void file_done(std::string_view path, std::uint64_t) override { files.emplace_back(path); }
  void end() override {}

  bool stop = false;
  std::vector<std::string> notes;
  std::vector<std::string> files;
};

}  // namespace hangar::hub
