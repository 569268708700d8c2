// Random loads on random schedulers, on the simulated device: what must hold whatever comes.
//
// HANGAR_PROPERTY_STEPS: turns of the engine in all; what is printed on failure has the seed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <string>

#include "sched/testing/build_kind.h"
#include "sched/testing/simulated_engine.h"

namespace hangar {
namespace {

constexpr std::uint64_t kSteps = kFastBuild ? 2'000'000 : 60'000;
constexpr std::uint64_t kSeeds = 200;

std::uint64_t all_steps() {
  const char* given = std::getenv("HANGAR_PROPERTY_STEPS");
  return given == nullptr ? kSteps : std::strtoull(given, nullptr, 10);
}

struct Load {
  SchedulerOptions options;
  std::int32_t tenants = 1;
  std::int32_t priorities = 1;
  std::size_t most_open = 1;  // sequences at once
  std::int32_t longest_prompt = 1;
  std::int32_t longest_output = 1;
  double arrival = 0;  // chances, each turn
  double cancel = 0;
  double fork = 0;      // that an arrival has forks
  double deadline = 0;  // that it has a deadline
  double prompt_logits = 0;
  double known_prompt = 0;  // that it begins as others do
  double plan_ahead = 0;
  double guesses = 0;
};

class RandomRun {
 public:
  explicit RandomRun(std::uint64_t seed)
      : random_(seed), load_(draw_load()), engine_(load_.options, seed + 1) {
    engine_.guess_chance = load_.guesses;
  }

  std::string run(std::uint64_t turns) {
    for (std::uint64_t i = 0; i < turns && engine_.error().empty(); ++i) {
      maybe_arrive();
      if (chance(load_.cancel)) cancel_one();
      engine_.now_us += static_cast<std::int64_t>(random_() % 20);
      engine_.turn(chance(load_.plan_ahead), [this] {
        if (chance(load_.cancel)) cancel_one();
      });
      if (chance(0.0005)) engine_.scheduler().forget_prefixes();
      if (!chance(0.004)) continue;
      if (const std::string stuck = run_dry(); !stuck.empty()) return stuck;
    }
    const std::string stuck = run_dry();
    return engine_.error().empty() ? stuck : engine_.error();
  }

  std::uint64_t ended(SimulatedEnd how) const { return engine_.ended(how); }
  std::uint64_t added() const { return added_; }
  SchedulerStats stats() { return engine_.scheduler().stats(); }

 private:
  bool chance(double of) { return std::uniform_real_distribution<double>(0, 1)(random_) < of; }
  std::int32_t up_to(std::int32_t most) {
    return 1 + static_cast<std::int32_t>(random_() % static_cast<std::uint64_t>(most));
  }

  Load draw_load() {
    Load load;
    SchedulerOptions& options = load.options;
    constexpr BatchingPolicy kPolicies[] = {BatchingPolicy::kNone, BatchingPolicy::kStatic,
                                            BatchingPolicy::kDynamic};
    options.batching.policy = chance(0.75) ? BatchingPolicy::kContinuous : kPolicies[random_() % 3];
    options.batching.max_sequences = up_to(12);
    options.batching.batch_wait_us = 40;
    options.batching.static_wait_us = 300;
    options.step_tokens = options.batching.max_sequences + up_to(40) - 1;
    options.max_logit_rows = options.batching.max_sequences + up_to(8) - 1;
    options.block_tokens = up_to(8);
    options.prefix_cache = chance(0.8);
    options.prefix_secret = random_();
    load.longest_prompt = up_to(60);
    load.longest_output = up_to(40);
    // From just enough for one to enough for all.
    options.kv_blocks =
        Scheduler::blocks_for(load.longest_prompt + load.longest_output, options.block_tokens);
    if (chance(0.8)) options.kv_blocks *= up_to(6);
    load.tenants = up_to(5);
    load.priorities = chance(0.5) ? 1 : up_to(3);
    load.most_open = 24;
    load.arrival = chance(0.5) ? 0.1 : 0.6;
    load.cancel = chance(0.5) ? 0 : 0.05;
    load.fork = chance(0.5) ? 0 : 0.3;
    load.deadline = chance(0.7) ? 0 : 0.3;
    load.prompt_logits = chance(0.7) ? 0 : 0.2;
    load.known_prompt = chance(0.3) ? 0 : 0.6;
    load.plan_ahead = chance(0.3) ? 1 : chance(0.3) ? 0 : 0.5;
    load.guesses = chance(0.5) ? 0 : 0.7;
    return load;
  }

  void maybe_arrive() {
    if (engine_.open().size() >= load_.most_open || !chance(load_.arrival)) return;
    SequenceSpec spec;
    spec.id = ++added_;
    const std::int32_t length = up_to(load_.longest_prompt);
    // Prompts that begin as others do: multiples of one of three numbers.
    const auto family = static_cast<std::int32_t>(random_() % 3) + 1;
    const bool known = chance(load_.known_prompt);
    const std::int32_t same = known ? up_to(length) : 0;
    for (std::int32_t i = 0; i < length; ++i) {
      spec.prompt.push_back(i < same ? i * family % 11 : static_cast<std::int32_t>(random_() % 11));
    }
    spec.max_tokens = up_to(load_.longest_output);
    spec.prompt_logits = chance(load_.prompt_logits);
    spec.prefix_salt = chance(0.1) ? 1 : 0;
    spec.tenant = std::to_string(random_() % static_cast<std::uint64_t>(load_.tenants));
    spec.priority = up_to(load_.priorities);
    spec.arrival_us = engine_.now_us;
    if (chance(load_.deadline)) {
      spec.deadline_us = engine_.now_us + static_cast<std::int64_t>(random_() % 1000);
    }
    const std::int32_t forks = chance(load_.fork) ? up_to(4) : 0;
    engine_.add(spec);
    const SequenceId parent = spec.id;
    spec.prompt_logits = false;
    for (std::int32_t i = 0; i < forks; ++i) {
      // Mostly of the first one; now and then a chain.
      spec.forks_from = chance(0.8) ? parent : spec.id;
      spec.id = ++added_;
      spec.max_tokens = up_to(load_.longest_output);
      engine_.add(spec);
    }
  }

  void cancel_one() {
    if (engine_.open().empty()) return;
    auto one = engine_.open().begin();
    std::advance(one, static_cast<std::ptrdiff_t>(random_() % engine_.open().size()));
    engine_.cancel(one->first);
  }

  // Nothing comes any more: all must end, in no more turns than there is work.
  std::string run_dry() {
    std::uint64_t bound = 100;
    for (const auto& [id, one] : engine_.open()) {
      // Computed once, and once again after a preemption as the oldest; with guesses each of its
      // steps is waited for.
      bound += 4 * static_cast<std::uint64_t>(one.prompt_tokens + one.max_tokens + 2);
    }
    for (std::uint64_t i = 0; !engine_.idle(); ++i) {
      if (!engine_.error().empty()) return engine_.error();
      if (i > bound) return "it does not end";
      const bool did = engine_.turn(chance(load_.plan_ahead));
      if (did || engine_.open().empty()) continue;
      const auto change = engine_.scheduler().next_change_us(engine_.now_us);
      if (!change) return "it is stuck";
      engine_.now_us += *change;
    }
    const BlockPool& pool = engine_.scheduler().pool();
    if (pool.held() != 0) return "blocks are lost";
    if (!engine_.scheduler().idle()) return "it is not idle";
    std::uint64_t ends = 0;
    for (const auto how :
         {SimulatedEnd::kFinished, SimulatedEnd::kCancelled, SimulatedEnd::kExpired}) {
      ends += engine_.ended(how);
    }
    if (ends != added_) return "not one end for each";
    return {};
  }

  std::mt19937_64 random_;
  Load load_;
  SimulatedEngine engine_;
  std::uint64_t added_ = 0;
};

TEST(SchedulerProperties, HoldOverRandomLoads) {
  const std::uint64_t turns = std::max<std::uint64_t>(1, all_steps() / kSeeds);
  std::uint64_t finished = 0;
  std::uint64_t cancelled = 0;
  std::uint64_t expired = 0;
  std::uint64_t preemptions = 0;
  std::uint64_t hits = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    RandomRun run(seed);
    ASSERT_EQ(run.run(turns), "") << "seed " << seed << ", turns " << turns;
    finished += run.ended(SimulatedEnd::kFinished);
    cancelled += run.ended(SimulatedEnd::kCancelled);
    expired += run.ended(SimulatedEnd::kExpired);
    preemptions += run.stats().preemptions;
    hits += run.stats().prefix_hit_tokens;
  }
  // The loads were such that all of it happened.
  EXPECT_GT(finished, kSeeds);
  EXPECT_GT(cancelled, 0U);
  EXPECT_GT(expired, 0U);
  EXPECT_GT(preemptions, 0U);
  EXPECT_GT(hits, 0U);
  RecordProperty("finished", std::to_string(finished));
  RecordProperty("preemptions", std::to_string(preemptions));
}

}  // namespace
}  // namespace hangar
