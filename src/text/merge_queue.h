// MergeQueue: which merge comes next in a long row of symbols.
//
// Promise: pop() gives the entry of lowest rank, and of those the one of lowest position. Made for
//   few ranks with very many positions each, which mostly come in ascending order: such a push or
//   pop is O(1), any other O(log n).
// Threads: one thread at a time.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <utility>
#include <vector>

namespace hangar {

class MergeQueue {
 public:
  struct Entry {
    std::uint32_t rank = 0;
    std::uint32_t position = 0;
  };

  void push(Entry entry);
  std::optional<Entry> pop();

 private:
  using MinHeap =
      std::priority_queue<std::uint32_t, std::vector<std::uint32_t>, std::greater<std::uint32_t>>;
  struct Bucket {
    std::vector<std::uint32_t> in_order;  // ascending; the first `taken` are gone
    std::size_t taken = 0;
    MinHeap late;  // those that came out of order
    bool empty() const { return taken == in_order.size() && late.empty(); }
  };

  boost::unordered_flat_map<std::uint32_t, std::uint32_t> bucket_of_rank_;
  std::vector<Bucket> buckets_;
  // (rank, bucket) of each bucket that is not empty, lowest rank on top.
  std::priority_queue<std::pair<std::uint32_t, std::uint32_t>,
                      std::vector<std::pair<std::uint32_t, std::uint32_t>>, std::greater<>>
      active_;
};

}  // namespace hangar
