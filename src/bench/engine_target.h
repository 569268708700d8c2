// EngineTarget: a load straight on an Engine in this process: no HTTP, no text.
//
// Promise: Target's. One piece is one token, seen when the pump got it from the engine. Kinds of
// error:
//   "refused" (submit), "failed", "expired". The engine is stopped with the target; it is not used
//   again.
// Errors: in the records.
// Threads: Target's; owns the pump thread that reads the engine's events.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "bench/target.h"
#include "engine/engine.h"

namespace hangar::bench {

// A prompt's token ids: the model's own tokenizer and template.
using PromptEncoder = std::function<Result<std::vector<std::int32_t>>(const BenchPrompt& prompt)>;

struct EngineRequestOptions {
  bool ignore_eos = true;
  std::vector<std::int32_t> stop_tokens;
  float temperature = 0.0F;
  std::uint64_t seed = 0;
};

class EngineTarget : public Target {
 public:
  EngineTarget(boost::asio::io_context& io, Engine& engine, PromptEncoder encode,
               EngineRequestOptions options);
  ~EngineTarget() override;
  EngineTarget(const EngineTarget&) = delete;
  EngineTarget& operator=(const EngineTarget&) = delete;

  boost::asio::awaitable<void> run(const BenchRequest& request, RequestRecord& record) override;
  void stop() override { engine_.stop(); }

 private:
  struct Pending;

  void pump();
  void take(const std::vector<Event>& events, std::int64_t time_us);
  void take(const Event& event, std::int64_t time_us);

  boost::asio::io_context& io_;
  Engine& engine_;
  PromptEncoder encode_;
  EngineRequestOptions options_;
  std::unordered_map<RequestId, Pending*> pending_;  // of coroutines that wait
  RequestId next_id_ = 1;
  std::thread pump_;
};

}  // namespace hangar::bench
