#include "serve/http/connection_table.h"

#include <algorithm>
#include <chrono>

#include "serve/http/connection.h"

namespace hangar {
namespace {

bool above_three_quarters(std::size_t count, std::size_t most) {
  return count > most - most / 4;
}

}  // namespace

ConnectionTable::ConnectionTable(const HttpServerOptions& options)
    : max_connections_(std::max<std::size_t>(options.max_connections, 1)),
      max_per_address_(options.max_connections_per_address > 0
                           ? std::min(options.max_connections_per_address, max_connections_)
                           : max_connections_) {}

void ConnectionTable::add(const std::shared_ptr<Connection>& connection, AddressKey address) {
  open_.emplace(connection.get(), Entry{connection, address});
  ++per_address_[address];
}

bool ConnectionTable::remove(const Connection* connection) {
  const auto found = open_.find(connection);
  if (found == open_.end()) return false;
  const auto address = per_address_.find(found->second.address);
  if (--address->second == 0) per_address_.erase(address);
  open_.erase(found);
  return true;
}

std::size_t ConnectionTable::count(AddressKey address) const {
  const auto found = per_address_.find(address);
  return found == per_address_.end() ? 0 : found->second;
}

bool ConnectionTable::full(AddressKey address) const {
  // Without a limit of its own an address is full when the server is, which is looked at first.
  return max_per_address_ < max_connections_ && count(address) >= max_per_address_;
}

bool ConnectionTable::crowded(AddressKey address) const {
  return above_three_quarters(open_.size(), max_connections_) ||
         above_three_quarters(count(address), max_per_address_);
}

template <typename Wanted>
std::vector<std::shared_ptr<Connection>> ConnectionTable::silent_longest(std::size_t most,
                                                                         Wanted wanted) const {
  std::vector<std::shared_ptr<Connection>> found;
  for (const auto& [raw, entry] : open_) {
    auto connection = entry.connection.lock();
    if (!connection || !connection->may_be_evicted() || !wanted(*connection, entry)) continue;
    found.push_back(std::move(connection));
  }
  const auto kept = found.begin() + static_cast<std::ptrdiff_t>(std::min(most, found.size()));
  std::partial_sort(found.begin(), kept, found.end(), [](const auto& a, const auto& b) {
    return a->last_byte_at() < b->last_byte_at();
  });
  found.erase(kept, found.end());
  return found;
}

std::size_t ConnectionTable::close(const std::vector<std::shared_ptr<Connection>>& connections) {
  for (const auto& connection : connections) {
    remove(connection.get());
    connection->close_now();
  }
  return connections.size();
}

std::size_t ConnectionTable::evict(std::optional<AddressKey> address) {
  auto longest = silent_longest(
      std::max<std::size_t>(max_connections_ / 64, 1),
      [&](const Connection&, const Entry& entry) { return !address || entry.address == *address; });
  const auto before = std::chrono::steady_clock::now() - std::chrono::seconds(1);
  while (longest.size() > 1 && longest.back()->last_byte_at() > before) longest.pop_back();
  return close(longest);
}

std::size_t ConnectionTable::evict_stalled_body(std::int64_t silent_us) {
  const auto before = std::chrono::steady_clock::now() - std::chrono::microseconds(silent_us);
  return close(silent_longest(1, [&](const Connection& connection, const Entry&) {
    return connection.counted_bytes() > 0 && connection.last_byte_at() <= before;
  }));
}

std::vector<std::shared_ptr<Connection>> ConnectionTable::all() const {
  std::vector<std::shared_ptr<Connection>> open;
  open.reserve(open_.size());
  for (const auto& [raw, entry] : open_) {
    if (auto connection = entry.connection.lock()) open.push_back(std::move(connection));
  }
  return open;
}

}  // namespace hangar
