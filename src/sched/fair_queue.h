// FairQueue: the waiting sequences of one priority; the tenant served least goes next.
//
// Promise: a virtual token counter (Sheng et al., "Fairness in Serving Large Language Models", OSDI
//   2024, algorithm 2): each tenant has a counter of its service; front() is the first sequence of
//   the waiting tenant with the least one. A tenant that begins to wait starts at least from the
//   least counter of those that wait, or, if none does, from that of the one that waited last: what
//   it did not ask for earlier it is not owed now. Equal counters take turns. Within a tenant,
//   sequences that were admitted before (and preempted) go first, oldest first, then by arrival.
//   docs/scheduling.md derives the bound.
// Cost: logarithmic in tenants and in a tenant's sequences; counters may change between two front()
//   calls, each costs one step down the order at the next.
// Threads: the scheduler's one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace hangar {

struct SequenceState;

struct Tenant {
  std::string name;
  double counter = 0;
  std::uint64_t turn = 0;      // of the last time it began to wait or one of its own was taken
  std::int32_t sequences = 0;  // that are there, waiting or not
  double place_counter = 0;    // where it stands in the queue's order
  std::uint64_t place_turn = 0;
  bool idle = false;  // in the list of those with no sequence
  std::map<std::pair<std::uint64_t, std::uint64_t>, SequenceState*> waiting;
};

class FairQueue {
 public:
  FairQueue() = default;
  FairQueue(const FairQueue&) = delete;
  FairQueue& operator=(const FairQueue&) = delete;

  // A sequence of this tenant has come, or has gone for good.
  Tenant* join(const std::string& name);
  void leave(Tenant* tenant);
  std::int32_t sequences() const { return sequences_; }

  void push(SequenceState& sequence);
  void take(SequenceState& sequence);  // out of the queue, wherever in it
  SequenceState* front();              // nullptr: nobody waits
  std::int32_t waiting() const { return waiting_; }

  static void charge(Tenant& tenant, double service) { tenant.counter += service; }
  std::size_t tenants() const { return tenants_.size(); }

 private:
  struct Place {  // in the order
    double counter;
    std::uint64_t turn;
    Tenant* tenant;
    bool operator<(const Place& other) const {
      if (counter != other.counter) return counter < other.counter;
      return turn < other.turn;
    }
  };

  Tenant* least_served();  // of those that wait
  double floor();
  void forget_idle();
  void enter_order(Tenant& tenant);
  void leave_order(Tenant& tenant);

  std::unordered_map<std::string, std::unique_ptr<Tenant>> tenants_;
  // Tenants that wait. Counters and turns only grow, so nobody stands behind his true place: it is
  // put right when he comes to the front.
  std::set<Place> order_;
  std::set<std::pair<double, Tenant*>> idle_;  // remembered: their counters are above the floor
  Tenant* last_waiting_ = nullptr;
  double last_counter_ = 0;  // of a last_waiting_ that has been forgotten
  std::uint64_t turns_ = 0;
  std::int32_t waiting_ = 0;
  std::int32_t sequences_ = 0;
};

}  // namespace hangar
