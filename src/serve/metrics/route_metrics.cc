#include "serve/metrics/route_metrics.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <variant>

#include "base/clock.h"

namespace hangar {
namespace {

constexpr int kClientGone = 499;  // as nginx has it in its logs

constexpr std::array<std::int64_t, 16> kDurationUs{
    1'000,   2'500,     5'000,     10'000,    25'000,     50'000,     100'000,     250'000,
    500'000, 1'000'000, 2'500'000, 5'000'000, 10'000'000, 30'000'000, 120'000'000, 600'000'000};

// Counts when the head goes out, and ends with the answer.
class CountedResponse final : public PendingResponse {
 public:
  CountedResponse(RequestCount count, std::unique_ptr<PendingResponse> inner)
      : count_(std::move(count)), inner_(std::move(inner)) {}
  std::optional<ResponsePart> advance() override {
    std::optional<ResponsePart> part = inner_->advance();
    if (part && part->head) count_.set_status(part->head->status);
    return part;
  }
  void on_ready(std::function<void()> callback) override { inner_->on_ready(std::move(callback)); }

 private:
  RequestCount count_;
  std::unique_ptr<PendingResponse> inner_;
};

}  // namespace

RouteMetrics::Entry::Entry(std::string_view method_name, std::string_view route_name)
    : method(method_name), route(route_name), duration_us(kDurationUs) {}

RouteMetrics::Entry& RouteMetrics::entry(std::string_view method, std::string_view route) {
  constexpr std::array<std::string_view, 7> kMethods{"GET",    "HEAD",    "POST", "PUT",
                                                     "DELETE", "OPTIONS", "PATCH"};
  if (std::find(kMethods.begin(), kMethods.end(), method) == kMethods.end()) method = "OTHER";
  std::pair<std::string, std::string> key(method, route);
  std::lock_guard lock(mutex_);
  std::unique_ptr<Entry>& entry = entries_[std::move(key)];
  if (!entry) entry = std::make_unique<Entry>(method, route);
  return *entry;
}

std::vector<const RouteMetrics::Entry*> RouteMetrics::entries() const {
  std::lock_guard lock(mutex_);
  std::vector<const Entry*> all;
  all.reserve(entries_.size());
  for (const auto& [key, entry] : entries_) all.push_back(entry.get());
  return all;
}

RequestCount::RequestCount(RouteMetrics::Entry& entry, std::int64_t now_us)
    : entry_(&entry), begin_us_(now_us), status_(kClientGone) {
  entry_->under_way.fetch_add(1, std::memory_order_relaxed);
}

RequestCount::RequestCount(RequestCount&& other) noexcept
    : entry_(std::exchange(other.entry_, nullptr)),
      begin_us_(other.begin_us_),
      status_(other.status_) {}

RequestCount::~RequestCount() {
  if (entry_ == nullptr) return;
  entry_->under_way.fetch_sub(1, std::memory_order_relaxed);
  const int last = static_cast<int>(entry_->by_status.size()) - 1;
  entry_->by_status[static_cast<std::size_t>(std::clamp(status_, 0, last))].fetch_add(
      1, std::memory_order_relaxed);
  entry_->duration_us.observe(steady_now_us() - begin_us_);
}

HandlerResult count_result(RequestCount count, HandlerResult result) {
  if (auto* pending = std::get_if<std::unique_ptr<PendingResponse>>(&result)) {
    return std::make_unique<CountedResponse>(std::move(count), std::move(*pending));
  }
  count.set_status(std::get<HttpResponse>(result).status);
  return result;
}

}  // namespace hangar
