#include "sched/fair_queue.h"

#include <algorithm>
#include <limits>

#include "sched/sequence_state.h"

namespace hangar {
namespace {

// Tenants without a sequence whose counters are still remembered. Past it the least is forgotten,
// which gives that tenant no more than its distance to the floor.
constexpr std::size_t kMostIdle = 4096;

std::pair<std::uint64_t, std::uint64_t> place_of(const SequenceState& sequence) {
  const std::uint64_t age =
      sequence.age == 0 ? std::numeric_limits<std::uint64_t>::max() : sequence.age;
  return {age, sequence.serial};
}

}  // namespace

Tenant* FairQueue::join(const std::string& name) {
  std::unique_ptr<Tenant>& tenant = tenants_[name];
  if (!tenant) {
    tenant = std::make_unique<Tenant>();
    tenant->name = name;
  }
  if (tenant->idle) {
    idle_.erase({tenant->counter, tenant.get()});
    tenant->idle = false;
  }
  ++tenant->sequences;
  ++sequences_;
  return tenant.get();
}

void FairQueue::leave(Tenant* tenant) {
  --sequences_;
  if (--tenant->sequences > 0) return;
  tenant->idle = true;
  idle_.insert({tenant->counter, tenant});
  forget_idle();
}

void FairQueue::push(SequenceState& sequence) {
  Tenant& tenant = *sequence.tenant;
  if (tenant.waiting.empty()) {
    tenant.counter = std::max(tenant.counter, floor());
    tenant.turn = ++turns_;
    enter_order(tenant);
  }
  tenant.waiting.emplace(place_of(sequence), &sequence);
  ++waiting_;
}

void FairQueue::take(SequenceState& sequence) {
  Tenant& tenant = *sequence.tenant;
  tenant.waiting.erase(place_of(sequence));
  tenant.turn = ++turns_;
  --waiting_;
  last_waiting_ = &tenant;
  if (tenant.waiting.empty()) leave_order(tenant);
}

void FairQueue::enter_order(Tenant& tenant) {
  tenant.place_counter = tenant.counter;
  tenant.place_turn = tenant.turn;
  order_.insert({tenant.place_counter, tenant.place_turn, &tenant});
}

void FairQueue::leave_order(Tenant& tenant) {
  order_.erase({tenant.place_counter, tenant.place_turn, &tenant});
}

SequenceState* FairQueue::front() {
  Tenant* tenant = least_served();
  return tenant == nullptr ? nullptr : tenant->waiting.begin()->second;
}

Tenant* FairQueue::least_served() {
  while (!order_.empty()) {
    Tenant& first = *order_.begin()->tenant;
    if (first.place_counter == first.counter && first.place_turn == first.turn) return &first;
    leave_order(first);
    enter_order(first);
  }
  return nullptr;
}

double FairQueue::floor() {
  if (const Tenant* least = least_served(); least != nullptr) return least->counter;
  return last_waiting_ == nullptr ? last_counter_ : last_waiting_->counter;
}

void FairQueue::forget_idle() {
  const double least = floor();
  while (!idle_.empty() && (idle_.begin()->first <= least || idle_.size() > kMostIdle)) {
    Tenant* tenant = idle_.begin()->second;
    idle_.erase(idle_.begin());
    if (tenant == last_waiting_) {
      last_counter_ = tenant->counter;
      last_waiting_ = nullptr;
    }
    tenants_.erase(tenant->name);
  }
}

}  // namespace hangar
