// The bounds of docs/scheduling.md, on the simulated device.
//
// With U = prompt_weight * L + output_weight * R * O, for prompts of at most L tokens, outputs of
// at most O and R sequences at once: the services of two tenants that both wait all the while
// differ by at most 2 U; and one that comes with a request while others wait has its first token
// after at most (R + n + 1) * L / (step_tokens - R + 1) + (n + 1) * (O + 1) + 2 turns, n tenants
// having come before.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "sched/fair_queue.h"
#include "sched/sequence_state.h"
#include "sched/testing/simulated_engine.h"

namespace hangar {
namespace {

constexpr std::int32_t kLongestPrompt = 32;
constexpr std::int32_t kLongestOutput = 20;
constexpr std::int32_t kRunning = 8;

SchedulerOptions options() {
  SchedulerOptions options;
  options.batching.max_sequences = kRunning;
  options.step_tokens = 48;
  options.max_logit_rows = kRunning;
  options.kv_blocks = kRunning * 8;
  options.block_tokens = 8;
  options.prefix_cache = false;
  return options;
}

double bound_of_gap(const SchedulerOptions& options) {
  return 2 * (options.prompt_weight * kLongestPrompt +
              options.output_weight * kRunning * kLongestOutput);
}

std::uint64_t bound_of_first_token(const SchedulerOptions& options, std::int32_t tenants_before) {
  const double prefill = static_cast<double>((kRunning + tenants_before + 1) * kLongestPrompt) /
                         (options.step_tokens - kRunning + 1);
  return static_cast<std::uint64_t>(std::ceil(prefill)) +
         static_cast<std::uint64_t>((tenants_before + 1) * (kLongestOutput + 1) + 2);
}

// An engine that counts what each tenant was served, by the scheduler's weights.
class Served {
 public:
  explicit Served(const SchedulerOptions& options) : options_(options), engine(options, 1) {
    engine.on_tokens = [this](SequenceId id, std::int32_t tokens) {
      const SimulatedSequence& one = engine.open().at(id);
      double& service = of[one.tenant];
      if (std::cmp_equal(one.output.size(), tokens)) {  // its prompt was computed for these
        service += options_.prompt_weight * one.prompt_tokens;
        first_token_after[id] = engine.turns() - one.added_in;
      }
      service += options_.output_weight * tokens;
    };
    engine.on_end = [this](SequenceId, const SimulatedSequence& one, SimulatedEnd) {
      --open[one.tenant];
    };
  }

  SequenceId add(const std::string& tenant, std::int32_t prompt, std::int32_t output) {
    SequenceSpec spec;
    spec.id = ++last_id_;
    for (std::int32_t i = 0; i < prompt; ++i) {
      spec.prompt.push_back(static_cast<std::int32_t>(spec.id) * 31 + i);
    }
    spec.max_tokens = output;
    spec.tenant = tenant;
    ++open[tenant];
    engine.add(std::move(spec));
    return last_id_;
  }

  std::map<std::string, double> of;
  std::map<std::string, int> open;
  std::map<SequenceId, std::uint64_t> first_token_after;  // turns

 private:
  SchedulerOptions options_;
  SequenceId last_id_ = 0;

 public:
  SimulatedEngine engine;
};

TEST(Fairness, AThousandRequestsOfOneTenantDoNotHoldUpAnothers) {
  Served served(options());
  for (int i = 0; i < 1000; ++i) served.add("flood", kLongestPrompt, kLongestOutput);
  std::uint64_t slowest = 0;
  for (int i = 0; i < 40; ++i) {
    for (int turn = 0; turn < 13; ++turn) served.engine.turn(true);
    const SequenceId id = served.add("late", kLongestPrompt, 5);
    while (served.engine.open().contains(id)) served.engine.turn(true);
    slowest = std::max(slowest, served.first_token_after.at(id));
  }
  EXPECT_EQ(served.engine.error(), "");
  EXPECT_LE(slowest, bound_of_first_token(options(), 1));
  EXPECT_GT(served.open["flood"], 500);  // they were there all the while
  RecordProperty("slowest_first_token_turns", std::to_string(slowest));
}

TEST(Fairness, ManyTenantsWithFullQueuesLetALateOneIn) {
  Served served(options());
  constexpr int kTenants = 10;
  for (int i = 0; i < 100 * kTenants; ++i) {
    served.add("flood " + std::to_string(i % kTenants), kLongestPrompt, kLongestOutput);
  }
  std::uint64_t slowest = 0;
  for (int i = 0; i < 20; ++i) {
    for (int turn = 0; turn < 17; ++turn) served.engine.turn(true);
    const SequenceId id = served.add("late", kLongestPrompt, 5);
    while (served.engine.open().contains(id)) served.engine.turn(true);
    slowest = std::max(slowest, served.first_token_after.at(id));
  }
  EXPECT_LE(slowest, bound_of_first_token(options(), kTenants));
  EXPECT_EQ(served.engine.error(), "");
}

TEST(Fairness, ServicesOfTenantsThatWaitStayClose) {
  Served served(options());
  // Long prompts and short outputs; the other way round; and a flood that was there first.
  for (int i = 0; i < 1000; ++i) served.add("flood", 8, kLongestOutput);
  for (int turn = 0; turn < 50; ++turn) served.engine.turn(true);
  const auto fill = [&] {
    while (served.open["long prompts"] < 20) served.add("long prompts", kLongestPrompt, 2);
    while (served.open["long outputs"] < 20) served.add("long outputs", 1, kLongestOutput);
  };
  fill();
  std::map<std::string, double> start = served.of;
  double widest = 0;
  for (int turn = 0; turn < 1500; ++turn) {
    fill();
    served.engine.turn(true);
    double least = 1e300;
    double most = 0;
    for (const char* tenant : {"flood", "long prompts", "long outputs"}) {
      const double service = served.of[tenant] - start[tenant];
      least = std::min(least, service);
      most = std::max(most, service);
    }
    widest = std::max(widest, most - least);
  }
  EXPECT_EQ(served.engine.error(), "");
  ASSERT_GT(served.open["flood"], kRunning);  // it waited all the while
  EXPECT_LE(widest, bound_of_gap(options()));
  EXPECT_GT(served.of["flood"], 5 * bound_of_gap(options()));  // so the bound said something
  RecordProperty("widest_gap", std::to_string(widest));
}

TEST(Fairness, NobodyStarvesWhereBlocksAreShort) {
  SchedulerOptions tight = options();
  tight.kv_blocks = 20;  // about three whole sequences
  Served served(tight);
  std::uint64_t longest = 0;
  served.engine.on_end = [&](SequenceId, const SimulatedSequence& one, SimulatedEnd) {
    --served.open[one.tenant];
    longest = std::max(longest, served.engine.turns() - one.added_in);
  };
  const char* tenants[] = {"a", "b", "c"};
  for (int turn = 0; turn < 5000; ++turn) {
    for (const char* tenant : tenants) {
      while (served.open[tenant] < 6) {
        served.add(tenant, 1 + turn * 7 % kLongestPrompt, 1 + turn * 11 % kLongestOutput);
      }
    }
    served.engine.turn(turn % 3 != 0);
  }
  EXPECT_EQ(served.engine.error(), "");
  EXPECT_GT(served.engine.scheduler().stats().preemptions, 10U);
  // Its tenant's share is late by 2 U at most to each other tenant, and five of its own go before;
  // the oldest running one has a token every turn, or its tokens computed anew.
  const double units = 2 * bound_of_gap(tight) + 6 * (kLongestPrompt + 2.0 * kLongestOutput);
  EXPECT_LE(static_cast<double>(longest), units);
  RecordProperty("longest_stay_turns", std::to_string(longest));
}

// FairQueue by itself: whom it names next.
class FairQueueTest : public ::testing::Test {
 protected:
  SequenceState& add(const std::string& tenant) {
    auto& one = *all_.emplace_back(std::make_unique<SequenceState>(pool_));
    one.serial = all_.size();
    one.queue = &queue_;
    one.tenant = queue_.join(tenant);
    queue_.push(one);
    return one;
  }
  std::string next(double service) {
    SequenceState* one = queue_.front();
    if (one == nullptr) return "";
    queue_.take(*one);
    FairQueue::charge(*one->tenant, service);
    return one->tenant->name;
  }

  BlockPool pool_{1, 1};
  FairQueue queue_;
  std::vector<std::unique_ptr<SequenceState>> all_;
};

TEST_F(FairQueueTest, TheLeastServedGoesNextAndEqualsTakeTurns) {
  for (int i = 0; i < 4; ++i) add("a");
  for (int i = 0; i < 2; ++i) add("b");
  std::string order;
  for (int i = 0; i < 6; ++i) order += next(1);
  EXPECT_EQ(order, "ababaa");
  EXPECT_EQ(next(1), "");
}

TEST_F(FairQueueTest, WhoDidNotWaitIsOwedNothing) {
  for (int i = 0; i < 10; ++i) add("a");
  for (int i = 0; i < 5; ++i) next(10);
  for (int i = 0; i < 5; ++i) add("b");  // starts at a's 50, not at 0
  std::string order;
  for (int i = 0; i < 6; ++i) order += next(10);
  EXPECT_EQ(order, "ababab");
}

TEST_F(FairQueueTest, AfterAnEmptyQueueTheLastOnesCounterCounts) {
  SequenceState& a = add("a");
  next(100);
  FairQueue::charge(*a.tenant, 100);
  add("b");
  EXPECT_EQ(all_.back()->tenant->counter, 200);
}

TEST_F(FairQueueTest, IdleTenantsAreForgottenOnceTheFloorHasPassedThem) {
  for (int i = 0; i < 100; ++i) {
    SequenceState& one = add("t" + std::to_string(i));
    queue_.take(one);
    FairQueue::charge(*one.tenant, 1);
    queue_.leave(one.tenant);
  }
  EXPECT_LE(queue_.tenants(), 2U);
  SequenceState& rich = add("rich");
  FairQueue::charge(*rich.tenant, 1000);
  add("poor");
  queue_.take(rich);
  queue_.leave(rich.tenant);
  EXPECT_EQ(add("rich").tenant->counter, 1000 + 100);  // it had got its share, and more
}

TEST_F(FairQueueTest, MillionsOfTenantsDoNotFillMemory) {
  SequenceState& waits = add("waits");  // holds the floor at 0
  for (int i = 0; i < 10'000; ++i) {
    SequenceState& one = add("t" + std::to_string(i));
    queue_.take(one);
    FairQueue::charge(*one.tenant, 5);
    queue_.leave(one.tenant);
    all_.pop_back();
  }
  EXPECT_LT(queue_.tenants(), 5000U);
  EXPECT_EQ(queue_.front(), &waits);
}

}  // namespace
}  // namespace hangar
