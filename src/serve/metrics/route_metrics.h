// RouteMetrics: requests by route, method and status, how long they took, how many are under way.
//
// Promise: count_result gives the answer back as it was, and counts it when its head is known; a
//   client that is gone before that counts as 499. Methods that no route has count as "OTHER", so
//   that clients can't make labels.
// Errors: none. Threads: any.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "serve/http/message.h"
#include "serve/metrics/metric_histogram.h"

namespace hangar {

class RouteMetrics {
 public:
  struct Entry {
    Entry(std::string_view method_name, std::string_view route_name);

    std::string method;
    std::string route;
    std::array<std::atomic<std::uint64_t>, 600> by_status{};
    std::atomic<std::int64_t> under_way{0};
    MetricHistogram duration_us;  // to the answer's end
  };

  // `route`: the pattern, or "none" where none matched. The entry stays for ever.
  Entry& entry(std::string_view method, std::string_view route);
  std::vector<const Entry*> entries() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::unique_ptr<Entry>, std::less<>> entries_;
};

// One request, from its arrival to its end; moved along with the answer.
class RequestCount {
 public:
  RequestCount(RouteMetrics::Entry& entry, std::int64_t now_us);
  RequestCount(RequestCount&& other) noexcept;
  RequestCount(const RequestCount&) = delete;
  RequestCount& operator=(const RequestCount&) = delete;
  RequestCount& operator=(RequestCount&&) = delete;
  ~RequestCount();

  void set_status(int status) { status_ = status; }

 private:
  RouteMetrics::Entry* entry_;
  std::int64_t begin_us_;
  int status_;
};

HandlerResult count_result(RequestCount count, HandlerResult result);

}  // namespace hangar
