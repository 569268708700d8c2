// Answers under load are the answers of the same requests alone: the promise of --deterministic.
//
// The default model gets a seeded mix of requests: prompts of 1 to 400 tokens of the golden
// prompts' text, many with a beginning in common; answers of 4 to 48 tokens; greedy or drawn, with
// each of the sampling's parameters, stop tokens, several choices, log-probabilities of answers and
// prompts. Expected is what an engine says that runs one sequence at a time and remembers no
// prefix. The load arrives while others run, once with blocks for all and once with short steps and
// so few blocks that sequences are put off and computed anew. Every token must be the same, and
// every log-probability, bit for bit.
//
// On a processor nothing else is possible, so a small load does. On a card the whole load runs with
// `deterministic` off too: the tokens a second of both are printed, and how many requests were
// answered otherwise. A smaller one runs with weights in FP8 and in 4 bits.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "backend/backend_options.h"
#include "backend/registry.h"
#include "engine/local_engine.h"
#include "formats/checkpoint.h"
#include "golden/golden_data.h"

namespace hangar::golden {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t kLongestWaitUs = 100'000;
constexpr auto kSilence = std::chrono::seconds(120);  // a load without an event for so long hangs

struct Score {
  std::int32_t token = -1;
  float logprob = 0.0F;
  bool operator==(const Score&) const = default;
};

// What one choice of a request said.
struct Answer {
  std::vector<std::int32_t> tokens;
  FinishReason finish = FinishReason::kFailed;
  std::int32_t stop_token = -1;
  std::vector<Score> scores;  // of each token, and of the likeliest beside it
  std::vector<Score> prompt_scores;
};

using Answers = std::map<std::pair<RequestId, std::int32_t>, Answer>;

// Requests, as many as `count`, made of `text`.
class Mix {
 public:
  Mix(std::vector<std::int32_t> text, std::uint64_t seed) : text_(std::move(text)), random_(seed) {}

  std::vector<Request> requests(std::int32_t count) {
    std::vector<Request> all;
    for (std::int32_t i = 0; i < count; ++i) all.push_back(request(i));
    return all;
  }

 private:
  std::int32_t between(std::int32_t least, std::int32_t most) {
    const auto span = static_cast<std::uint64_t>(most - least + 1);
    return least + static_cast<std::int32_t>(random_() % span);
  }
  bool one_in(std::int32_t n) { return between(1, n) == 1; }

  // Half begin at one of four places: the prefixes that a cache finds.
  std::vector<std::int32_t> prompt() {
    const std::int32_t size = static_cast<std::int32_t>(text_.size());
    const std::int32_t kind = between(1, 10);
    std::int32_t tokens = between(1, 40);
    if (kind > 6) tokens = between(40, 120);
    if (kind == 10) tokens = between(120, 400);
    const std::int32_t first = one_in(2) ? between(0, 3) * (size / 4) : between(0, size - 1);
    std::vector<std::int32_t> prompt;
    for (std::int32_t i = 0; i < tokens; ++i) {
      prompt.push_back(text_[static_cast<std::size_t>((first + i) % size)]);
    }
    return prompt;
  }

  SamplingParams sampling(std::int32_t kind) {
    SamplingParams sampling;
    sampling.seed = random_();
    if (kind <= 1) sampling.temperature = 0.0F;
    if (kind == 1) sampling.repetition_penalty = 1.2F;
    if (kind == 3) sampling.top_k = between(1, 60);
    if (kind == 4) sampling.top_p = 0.9F;
    if (kind == 5) sampling.min_p = 0.05F;
    if (kind == 6) {
      sampling.presence_penalty = 0.4F;
      sampling.frequency_penalty = 0.6F;
    }
    if (kind == 7) {
      sampling.temperature = 0.7F;
      sampling.top_k = 50;
      sampling.top_p = 0.95F;
      sampling.min_p = 0.01F;
      sampling.repetition_penalty = 1.1F;
    }
    if (kind == 8) {
      sampling.temperature = 1.5F;
      sampling.logit_bias = {{text_[0], -100.0F}, {text_[text_.size() / 2], 3.0F}};
    }
    return sampling;
  }

  Request request(std::int32_t place) {
    Request request;
    request.id = static_cast<RequestId>(place) + 1;
    request.prompt = prompt();
    request.max_tokens = between(4, 48);
    request.sampling = sampling(place % 9);
    if (one_in(6)) request.choices = between(2, 3);
    if (one_in(3)) request.logprobs = between(0, 5);
    if (one_in(10)) request.prompt_logprobs = true;
    for (std::int32_t i = 0; i < 4; ++i) {
      const std::int32_t last = static_cast<std::int32_t>(text_.size()) - 1;
      request.stop_tokens.push_back(text_[static_cast<std::size_t>(between(0, last))]);
    }
    request.ignore_eos = one_in(2);
    if (one_in(4)) request.min_tokens = between(1, 4);
    request.tenant = one_in(2) ? "a" : "b";
    request.priority = between(0, 1);
    return request;
  }

  std::vector<std::int32_t> text_;
  std::mt19937_64 random_;
};

// How requests come: in groups, a group when something of those under way has come out.
struct Arrivals {
  std::int32_t most_open = 0;  // requests under way at most
  std::int32_t largest_group = 1;
};

struct Load {
  Answers answers;
  double tokens_per_s = 0.0;  // without the first tenth of the requests, which warm up
  std::int32_t most_running = 0;
  EngineStats stats;
};

class Driver {
 public:
  explicit Driver(Engine& engine) : engine_(engine) {}

  Load run(const std::vector<Request>& requests, const Arrivals& arrivals) {
    const std::size_t warm_up = requests.size() / 10;
    const std::span<const Request> all(requests);
    drive(all.first(warm_up), arrivals);
    const std::uint64_t before = engine_.stats().generated_tokens;
    const auto begin = Clock::now();
    drive(all.subspan(warm_up), arrivals);
    const std::chrono::duration<double> seconds = Clock::now() - begin;
    load_.stats = engine_.stats();
    load_.tokens_per_s =
        static_cast<double>(load_.stats.generated_tokens - before) / seconds.count();
    return std::move(load_);
  }

 private:
  void drive(std::span<const Request> requests, const Arrivals& arrivals) {
    std::mt19937_64 random(requests.size());
    std::size_t next = 0;
    auto heard = Clock::now();
    while (next < requests.size() || open_ > 0) {
      std::int32_t group = 1 + static_cast<std::int32_t>(
                                   random() % static_cast<std::uint64_t>(arrivals.largest_group));
      while (next < requests.size() && open_ < arrivals.most_open && group-- > 0) {
        const Status status = engine_.submit(requests[next++]);
        ASSERT_TRUE(status) << status.error().message;
        ++open_;
      }
      const std::vector<Event> events = engine_.next_events(kLongestWaitUs);
      for (const Event& event : events) take(event);
      load_.most_running = std::max(load_.most_running, engine_.stats().running);
      if (!events.empty()) heard = Clock::now();
      ASSERT_LT(Clock::now() - heard, kSilence) << open_ << " requests do not end";
    }
  }

  void take(const Event& event) {
    if (event.kind == EventKind::kFinished) {
      --open_;
      EXPECT_EQ(event.error, "") << "request " << event.request;
      return;
    }
    Answer& answer = load_.answers[{event.request, event.choice}];
    if (event.kind == EventKind::kToken) {
      answer.tokens.push_back(event.token);
      add_scores(event, answer.scores);
    } else if (event.kind == EventKind::kPrompt) {
      add_scores(event, answer.prompt_scores);
    } else if (event.kind == EventKind::kChoiceFinished) {
      answer.finish = event.finish;
      answer.stop_token = event.stop_token;
    }
  }

  static void add_scores(const Event& event, std::vector<Score>& scores) {
    if (!event.has_logprob) return;
    scores.push_back({event.token, event.logprob});
    for (const TokenLogprob& one : event.top) scores.push_back({one.token, one.logprob});
  }

  Engine& engine_;
  std::int32_t open_ = 0;
  Load load_;
};

// Choices that differ, and the first of them in words.
struct Difference {
  std::int32_t tokens = 0;  // or in how they ended
  std::int32_t scores = 0;  // with the same tokens
  std::string first;
};

std::string told(const Answer& answer) {
  return fmt::format("{} ({}, stop token {})", fmt::join(answer.tokens, " "),
                     static_cast<int>(answer.finish), answer.stop_token);
}

std::string first_score(std::span<const Score> expected, std::span<const Score> got) {
  const std::size_t both = std::min(expected.size(), got.size());
  for (std::size_t i = 0; i < both; ++i) {
    if (expected[i] == got[i]) continue;
    return fmt::format("score {} is of token {}: {:.9g}, alone of {}: {:.9g}", i, got[i].token,
                       got[i].logprob, expected[i].token, expected[i].logprob);
  }
  return fmt::format("{} scores, alone {}", got.size(), expected.size());
}

Difference difference(const Answers& expected, const Answers& got) {
  Difference difference;
  for (const auto& [who, alone] : expected) {
    const auto found = got.find(who);
    const Answer answer = found == got.end() ? Answer{} : found->second;
    const bool same_tokens = answer.tokens == alone.tokens && answer.finish == alone.finish &&
                             answer.stop_token == alone.stop_token;
    const bool same_scores =
        answer.scores == alone.scores && answer.prompt_scores == alone.prompt_scores;
    if (same_tokens && same_scores) continue;
    ++(same_tokens ? difference.scores : difference.tokens);
    if (!difference.first.empty()) continue;
    difference.first = fmt::format("request {}, choice {}: ", who.first, who.second);
    if (!same_tokens) {
      difference.first += fmt::format("{}\nalone: {}", told(answer), told(alone));
    } else if (answer.scores != alone.scores) {
      difference.first += first_score(alone.scores, answer.scores);
    } else {
      difference.first += "prompt: " + first_score(alone.prompt_scores, answer.prompt_scores);
    }
  }
  return difference;
}

class MixedLoadTest : public ::testing::Test {
 protected:
  // Rows of a step, sequences and arrivals of one backend's load.
  struct Size {
    std::string backend;
    std::int32_t requests = 0;
    std::int32_t running = 0;
    std::int32_t narrow_rows = 0;  // of the narrow load's steps
    std::int32_t narrow_blocks = 0;
    Arrivals arrivals;
    QuantOptions quant = {};
    std::optional<KvType> kv_type = {};
  };

  void SetUp() override {
    if (model_path().empty()) {
      GTEST_SKIP() << "skipped: no default model (./dev model fetches it; or HANGAR_TEST_MODEL)";
    }
    auto checkpoint = open_checkpoint(model_path());
    ASSERT_TRUE(checkpoint) << checkpoint.error().message;
    checkpoint_ = std::move(*checkpoint);
    for (const Prompt& prompt : read_golden()) {
      text_.insert(text_.end(), prompt.ids.begin(), prompt.ids.end());
    }
    ASSERT_GT(text_.size(), 800U);
  }

  // Fewer requests for formats that are not everywhere: FP8 wherever there is a choice, and the
  // file's 4 bits.
  static Size small_load(const QuantOptions& quant, std::optional<KvType> kv_type) {
    return {.backend = "cuda",
            .requests = 300,
            .running = 64,
            .narrow_rows = 96,
            .narrow_blocks = 160,
            .arrivals = {.most_open = 80, .largest_group = 12},
            .quant = quant,
            .kv_type = kv_type};
  }

  static LocalEngineOptions options_of(const Size& size) {
    LocalEngineOptions options;
    options.backend = size.backend;
    options.step_tokens = 0;
    options.context_tokens = 512;
    options.batching.max_sequences = size.running;
    options.max_waiting = 4 * size.requests;  // sequences
    options.deterministic = true;
    options.quant = size.quant;
    options.kv_type = size.kv_type;
    return options;
  }

  // An engine's whole life: two do not fit a card's memory.
  Load run(const LocalEngineOptions& options, const std::vector<Request>& requests,
           const Arrivals& arrivals) {
    auto engine = make_local_engine(checkpoint_, options);
    EXPECT_TRUE(engine) << engine.error().message;
    if (!engine) return {};
    const EngineInfo& info = (*engine)->info();
    block_bytes_ = info.kv_bytes / static_cast<std::uint64_t>(info.kv_blocks);
    Load load = Driver(**engine).run(requests, arrivals);
    EXPECT_EQ(load.stats.kv_blocks_used, 0);
    EXPECT_EQ(load.stats.running + load.stats.waiting, 0);
    return load;
  }

  void expect_same(const char* name, const Answers& alone, const Load& load) {
    const Difference found = difference(alone, load.answers);
    std::cout << fmt::format(
        "{}: {:.0f} tokens/s; at most {} sequences at once, {} tokens from the prefix cache, {} "
        "sequences put off; {} answers differ, {} more in log-probabilities\n",
        name, load.tokens_per_s, load.most_running, load.stats.cached_tokens,
        load.stats.preemptions, found.tokens, found.scores);
    EXPECT_EQ(load.answers.size(), alone.size());
    EXPECT_EQ(found.tokens, 0) << name << ": " << found.first;
    EXPECT_EQ(found.scores, 0) << name << ": " << found.first;
  }

  void expect_answers_of_requests_alone(const Size& size) {
    const std::vector<Request> requests = Mix(text_, 20261128).requests(size.requests);
    LocalEngineOptions options = options_of(size);
    options.batching.policy = BatchingPolicy::kNone;
    options.prefix_cache = false;
    const Load alone = run(options, requests, {.most_open = size.requests, .largest_group = 1000});
    std::size_t choices = 0;
    for (const Request& request : requests) choices += static_cast<std::size_t>(request.choices);
    ASSERT_EQ(alone.answers.size(), choices);
    EXPECT_EQ(alone.most_running, 1);
    std::cout << fmt::format("{} requests, {} answers, {} tokens; alone: {:.0f} tokens/s\n",
                             requests.size(), choices, alone.stats.generated_tokens,
                             alone.tokens_per_s);

    options = options_of(size);
    const Load roomy = run(options, requests, size.arrivals);
    expect_same("under load", alone.answers, roomy);
    EXPECT_GE(roomy.most_running, size.running / 2);
    EXPECT_GT(roomy.stats.cached_tokens, 0U);

    options.step_tokens = size.narrow_rows;
    options.kv_bytes = static_cast<std::uint64_t>(size.narrow_blocks) * block_bytes_;
    const Load narrow = run(options, requests, size.arrivals);
    expect_same("short steps, few blocks", alone.answers, narrow);
    EXPECT_GT(narrow.stats.preemptions, 0U);

    if (size.backend != "cuda") return;
    options = options_of(size);
    options.deterministic = false;
    const Load off = run(options, requests, size.arrivals);
    const Difference found = difference(alone.answers, off.answers);
    std::cout << fmt::format(
        "under load, deterministic off: {:.0f} tokens/s (on: {:.1f}% of it); {} answers of {} "
        "differ, {} more in log-probabilities\n",
        off.tokens_per_s, 100.0 * roomy.tokens_per_s / off.tokens_per_s, found.tokens, choices,
        found.scores);
    EXPECT_EQ(off.answers.size(), choices);
  }

  std::shared_ptr<const Checkpoint> checkpoint_;
  std::vector<std::int32_t> text_;
  std::uint64_t block_bytes_ = 0;
};

TEST_F(MixedLoadTest, CpuAnswersAreThoseOfRequestsAlone) {
  expect_answers_of_requests_alone({.backend = "cpu",
                                    .requests = 60,
                                    .running = 16,
                                    .narrow_rows = 24,
                                    .narrow_blocks = 48,
                                    .arrivals = {.most_open = 20, .largest_group = 6}});
}

TEST_F(MixedLoadTest, DeterministicCudaAnswersAreThoseOfRequestsAlone) {
  if (const auto made = make_backend("cuda", 0); !made) {
    GTEST_SKIP() << "skipped: " << made.error().message;
  }
  expect_answers_of_requests_alone({.backend = "cuda",
                                    .requests = 2000,
                                    .running = 256,
                                    .narrow_rows = 384,
                                    .narrow_blocks = 600,
                                    .arrivals = {.most_open = 320, .largest_group = 40},
                                    .quant = {.matrices = WeightQuant::kNone}});
}

TEST_F(MixedLoadTest, DeterministicCudaAnswersInFp8AreThoseOfRequestsAlone) {
  const Size size = small_load({WeightQuant::kFp8, WeightQuant::kFp8}, KvType::kFp8);
  if (const auto made = make_backend("cuda", BackendOptions{.quant = size.quant}); !made) {
    GTEST_SKIP() << "skipped: " << made.error().message;
  }
  expect_answers_of_requests_alone(size);
}

TEST_F(MixedLoadTest, DeterministicCudaAnswersIn4BitsAreThoseOfRequestsAlone) {
  const Size size = small_load({WeightQuant::kInt4, WeightQuant::kInt4}, std::nullopt);
  if (const auto made = make_backend("cuda", BackendOptions{.quant = size.quant}); !made) {
    GTEST_SKIP() << "skipped: " << made.error().message;
  }
  expect_answers_of_requests_alone(size);
}

}  // namespace
}  // namespace hangar::golden
