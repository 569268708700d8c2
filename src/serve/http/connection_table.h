// ConnectionTable: the connections that are open, whose they are, and which of them has to go when
// there is no place left.
//
// Promise: a connection that was told it is kept never loses its place; one that has been told
//   nothing yet (silent, or in the middle of a request) may, the one that has been silent longest
//   first. So that kept ones alone never take all places, answers say "Connection: close" once
//   three quarters are taken (crowded).
// Threads: the io_context's one thread.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "serve/http/address_key.h"
#include "serve/http/server.h"

namespace hangar {

class Connection;

class ConnectionTable {
 public:
  explicit ConnectionTable(const HttpServerOptions& options);

  void add(const std::shared_ptr<Connection>& connection, AddressKey address);
  // False: it had lost its place already.
  bool remove(const Connection* connection);
  std::size_t size() const { return open_.size(); }

  bool full() const { return open_.size() >= max_connections_; }
  bool full(AddressKey address) const;  // has all it may have
  bool crowded(AddressKey address) const;

  // Closes the connection that has been silent longest, of one address or of all, and with it up to
  // a 64th of all that have been silent for a second, so that a flood does not cost a search for
  // each of its connections. Returns how many.
  std::size_t evict(std::optional<AddressKey> address = std::nullopt);
  // Closes the one whose counted request body has stalled longest, if that is silent_us or more.
  std::size_t evict_stalled_body(std::int64_t silent_us);

  // Strong references, since what is done with one may take it out of the table.
  std::vector<std::shared_ptr<Connection>> all() const;
  std::size_t max_connections() const { return max_connections_; }
  std::size_t max_per_address() const { return max_per_address_; }

 private:
  struct Entry {
    std::weak_ptr<Connection> connection;
    AddressKey address = 0;
  };
  std::size_t count(AddressKey address) const;
  template <typename Wanted>
  std::vector<std::shared_ptr<Connection>> silent_longest(std::size_t most, Wanted wanted) const;
  std::size_t close(const std::vector<std::shared_ptr<Connection>>& connections);

  std::size_t max_connections_;
  std::size_t max_per_address_;
  std::unordered_map<const Connection*, Entry> open_;
  std::unordered_map<AddressKey, std::size_t> per_address_;
};

}  // namespace hangar
