// Gateway: what the HTTP door serves: the models by name, and whether it takes new requests.
//
// Promise: find(name) knows each model by its id. Names are added before serving starts. state() is
//   what /health and /readyz say.
// Errors: find: kNotFound with the names there are.
// Threads: add before serving; the rest from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/cards.h"
#include "base/result.h"
#include "serve/http/counters.h"
#include "serve/metrics/route_metrics.h"
#include "serve/served_model.h"

namespace hangar {

struct GatewayOptions {
  // From a request's arrival to its answer's end; 0: as long as it takes.
  std::int64_t request_timeout_us = 0;
  // Work that waits for so long without a step ending makes the server unready.
  std::int64_t ready_limit_us = 30'000'000;
  // Of one stream, made but not yet taken by its reader: then it is cut off.
  std::size_t max_waiting_bytes = 8U << 20U;
};

enum class GatewayStatus : std::uint8_t {
  kReady,
  kStarting,  // a model has not given its first token yet
  kDraining,
  kStalled,  // ready_limit_us has passed
  kStopped,  // an engine has ended
};

struct GatewayState {
  GatewayStatus status = GatewayStatus::kReady;
  std::string reason;  // "" where ready
};

class Gateway {
 public:
  explicit Gateway(const GatewayOptions& options = {}) : options_(options) {}

  void add(std::unique_ptr<ServedModel> model) { models_.push_back(std::move(model)); }
  Result<ServedModel*> find(std::string_view name) const;
  const std::vector<std::unique_ptr<ServedModel>>& models() const { return models_; }
  const GatewayOptions& options() const { return options_; }
  // After drain() new generations are refused with kUnavailable.
  void drain();
  bool draining() const { return draining_.load(); }
  // The worst of what is so.
  GatewayState state() const;

  RouteMetrics& route_metrics() { return route_metrics_; }
  // The counters of the sockets in front, for /metrics; nullptr: none (any more).
  void set_http_counters(const HttpCounters* counters) { http_counters_.store(counters); }
  const HttpCounters* http_counters() const { return http_counters_.load(); }
  // This machine's GPUs, for /metrics; before requests come. nullptr: there are none.
  void watch_cards(std::unique_ptr<const CardWatch> cards) { cards_ = std::move(cards); }
  const CardWatch* cards() const { return cards_.get(); }

 private:
  GatewayOptions options_;
  std::vector<std::unique_ptr<ServedModel>> models_;
  std::atomic<bool> draining_{false};
  RouteMetrics route_metrics_;
  std::atomic<const HttpCounters*> http_counters_{nullptr};
  std::unique_ptr<const CardWatch> cards_;
};

}  // namespace hangar
