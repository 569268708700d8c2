#include "text/merge_queue.h"

namespace hangar {

void MergeQueue::push(Entry entry) {
  const auto [found, is_new] =
      bucket_of_rank_.try_emplace(entry.rank, static_cast<std::uint32_t>(buckets_.size()));
  if (is_new) buckets_.emplace_back();
  Bucket& bucket = buckets_[found->second];
  if (bucket.empty()) {
    bucket.in_order.clear();
    bucket.taken = 0;
    active_.emplace(entry.rank, found->second);
  }
  if (bucket.in_order.empty() || bucket.in_order.back() <= entry.position) {
    bucket.in_order.push_back(entry.position);
  } else {
    bucket.late.push(entry.position);
  }
}

std::optional<MergeQueue::Entry> MergeQueue::pop() {
  if (active_.empty()) return std::nullopt;
  const auto [rank, index] = active_.top();
  Bucket& bucket = buckets_[index];
  Entry entry{.rank = rank, .position = 0};
  const bool has_ordered = bucket.taken < bucket.in_order.size();
  if (has_ordered && (bucket.late.empty() || bucket.in_order[bucket.taken] <= bucket.late.top())) {
    entry.position = bucket.in_order[bucket.taken++];
  } else {
    entry.position = bucket.late.top();
    bucket.late.pop();
  }
  if (bucket.empty()) active_.pop();
  return entry;
}

}  // namespace hangar
