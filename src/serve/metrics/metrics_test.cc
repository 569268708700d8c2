#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "serve/metrics/completion_rate.h"
#include "serve/metrics/family_list.h"
#include "serve/metrics/metric_histogram.h"
#include "serve/metrics/process_stats.h"
#include "serve/metrics/request_times.h"
#include "serve/routes.h"
#include "serve/testing/test_server.h"

namespace hangar {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::array<std::int64_t, 3> kBorders{10, 20, 300'000};

TEST(MetricHistogramTest, AValueOnABorderIsBelowIt) {
  MetricHistogram histogram(kBorders);
  for (const std::int64_t value : {0, 10, 11, 20, 21, 300'000, 300'001}) histogram.observe(value);
  const MetricHistogram::Snapshot snapshot = histogram.snapshot();
  EXPECT_THAT(snapshot.counts, ElementsAre(2U, 2U, 2U, 1U));
  EXPECT_EQ(snapshot.total, 7U);
  EXPECT_EQ(snapshot.sum, 10 + 11 + 20 + 21 + 300'000 + 300'001);
}

TEST(MetricHistogramTest, ThreadsLoseNothing) {
  constexpr int kEach = 20'000;
  MetricHistogram histogram(kBorders);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < kEach; ++j) histogram.observe(15);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(histogram.snapshot().counts[1], 4U * kEach);
  EXPECT_EQ(histogram.snapshot().sum, 15 * 4 * kEach);
}

TEST(FamilyListTest, WritesPrometheusText) {
  MetricHistogram histogram(kBorders);
  for (const std::int64_t value : {5, 15, 400'000}) histogram.observe(value);
  FamilyList families;
  families.histogram("t_seconds", "Time.", {{"model_name", "a\"b\\c"}}, histogram.snapshot(), 1e6);
  families.counter("n_total", "Number.", {}, 3);
  families.gauge("g", "Gauge.", {}, 0.5);
  EXPECT_EQ(families.text(),
            "# HELP t_seconds Time.\n"
            "# TYPE t_seconds histogram\n"
            "t_seconds_count{model_name=\"a\\\"b\\\\c\"} 3\n"
            "t_seconds_sum{model_name=\"a\\\"b\\\\c\"} 0.40002\n"
            "t_seconds_bucket{model_name=\"a\\\"b\\\\c\",le=\"1e-05\"} 1\n"
            "t_seconds_bucket{model_name=\"a\\\"b\\\\c\",le=\"2e-05\"} 2\n"
            "t_seconds_bucket{model_name=\"a\\\"b\\\\c\",le=\"0.3\"} 2\n"
            "t_seconds_bucket{model_name=\"a\\\"b\\\\c\",le=\"+Inf\"} 3\n"
            "# HELP n_total Number.\n"
            "# TYPE n_total counter\n"
            "n_total 3\n"
            "# HELP g Gauge.\n"
            "# TYPE g gauge\n"
            "g 0.5\n");
}

TEST(CompletionRateTest, TheQueuesLengthOverWhatEndsASecond) {
  constexpr std::int64_t kSecond = 1'000'000;
  CompletionRate rate(100 * kSecond);
  EXPECT_EQ(rate.wait_s(0, 100 * kSecond), 1);
  EXPECT_EQ(rate.wait_s(1000, 100 * kSecond), 60);  // nothing has ended yet
  for (int s = 100; s < 110; ++s) rate.add(10, s * kSecond);
  EXPECT_EQ(rate.wait_s(100, 109 * kSecond), 10);
  EXPECT_EQ(rate.wait_s(5, 109 * kSecond), 1);
  EXPECT_EQ(rate.wait_s(1'000'000, 109 * kSecond), 60);
  // Half a minute later all that is forgotten.
  EXPECT_EQ(rate.wait_s(100, 145 * kSecond), 60);
}

TEST(RequestTimesTest, EachMomentIsCountedOnce) {
  ModelMetrics metrics;
  Request request;
  request.prompt.assign(7, 1);
  request.choices = 2;
  request.max_tokens = 50;
  RequestTimes times(&metrics, request, 1'000'000);
  times.on_started(1'200'000);
  times.on_started(1'300'000);  // the second choice
  times.on_token(0, 1'500'000);
  times.on_token(1, 1'600'000);
  times.on_token(0, 1'700'000);
  times.on_token(0, 1'900'000);
  times.on_choice_end(0, FinishReason::kLength);
  times.on_choice_end(1, FinishReason::kStop);
  times.on_choice_end(1, FinishReason::kCancelled);  // what cancelling it gave
  times.on_end(FinishReason::kStop, {.prompt_tokens = 7, .completion_tokens = 4}, 2'000'000);
  const auto sum = [](const MetricHistogram& histogram, std::uint64_t total) {
    const auto snapshot = histogram.snapshot();
    EXPECT_EQ(snapshot.total, total);
    return snapshot.sum;
  };
  EXPECT_EQ(sum(metrics.queue_us, 1), 200'000);
  EXPECT_EQ(sum(metrics.time_to_first_token_us, 1), 500'000);
  EXPECT_EQ(sum(metrics.prefill_us, 1), 300'000);
  EXPECT_EQ(sum(metrics.inter_token_us, 2), 400'000);
  EXPECT_EQ(sum(metrics.token_mean_us, 1), 200'000);
  EXPECT_EQ(sum(metrics.decode_us, 1), 400'000);
  EXPECT_EQ(sum(metrics.inference_us, 1), 700'000);
  EXPECT_EQ(sum(metrics.request_us, 1), 1'000'000);
  EXPECT_EQ(sum(metrics.request_prompt_tokens, 1), 7);
  EXPECT_EQ(sum(metrics.request_generation_tokens, 1), 4);
  EXPECT_EQ(sum(metrics.request_max_tokens, 1), 50);
  EXPECT_EQ(sum(metrics.request_choices, 1), 2);
  EXPECT_EQ(metrics.prompt_tokens.load(), 7U);
  EXPECT_EQ(metrics.choices_ended[static_cast<std::size_t>(FinishReason::kStop)].load(), 1U);
  EXPECT_EQ(metrics.choices_ended[static_cast<std::size_t>(FinishReason::kLength)].load(), 1U);
  EXPECT_EQ(metrics.choices_ended[static_cast<std::size_t>(FinishReason::kCancelled)].load(), 0U);

  RequestTimes failed(&metrics, request, 0);
  failed.on_end(FinishReason::kFailed, {}, 5);
  EXPECT_EQ(metrics.request_us.snapshot().total, 1U);
  EXPECT_EQ(metrics.requests_ended[static_cast<std::size_t>(FinishReason::kFailed)].load(), 1U);
}

TEST(ProcessStatsTest, SaysWhatTheKernelSays) {
  const ProcessStats stats = read_process_stats();
  EXPECT_GT(stats.resident_bytes, 1e6);
  EXPECT_GE(stats.virtual_bytes, stats.resident_bytes);
  EXPECT_GE(stats.open_descriptors, 3);
  EXPECT_GE(stats.max_descriptors, stats.open_descriptors);
  EXPECT_GE(stats.threads, 1);
  EXPECT_GT(stats.start_unix_seconds, 1.5e9);
  EXPECT_LE(stats.start_unix_seconds, static_cast<double>(std::time(nullptr)) + 2);
}

// The text of /metrics, taken apart.
struct Scrape {
  explicit Scrape(Gateway& gateway) {
    HttpRequest request;
    request.method = "GET";
    request.target = "/metrics";
    HandlerResult result = handle_request(gateway, request);
    const auto& response = std::get<HttpResponse>(result);
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.content_type, kMetricsContentType);
    static const std::regex kType(R"(# TYPE (\S+) (\w+))");
    std::istringstream lines(response.body);
    for (std::string line; std::getline(lines, line);) {
      std::smatch found;
      if (std::regex_match(line, found, kType)) {
        EXPECT_TRUE(types.emplace(found[1], found[2]).second) << line << " comes twice";
      } else if (!line.starts_with("# HELP ")) {
        const std::size_t space = line.rfind(' ');
        EXPECT_TRUE(
            samples.emplace(line.substr(0, space), std::stod(line.substr(space + 1))).second)
            << line << " comes twice";
      }
    }
  }
  double operator[](const std::string& sample) const {
    const auto found = samples.find(sample);
    EXPECT_NE(found, samples.end()) << "no sample " << sample;
    return found == samples.end() ? -1 : found->second;
  }

  std::map<std::string, std::string> types;
  std::map<std::string, double> samples;
};

HttpRequest ask(std::string target, std::string body) {
  HttpRequest request;
  request.method = "POST";
  request.target = std::move(target);
  request.body = std::move(body);
  return request;
}

void answer(Gateway& gateway, const HttpRequest& request) {
  HandlerResult result = handle_request(gateway, request);
  auto* pending = std::get_if<std::unique_ptr<PendingResponse>>(&result);
  for (bool done = pending == nullptr; !done; std::this_thread::yield()) {
    const auto part = (*pending)->advance();
    done = part && part->done;
  }
}

struct MetricsFixture {
  MetricsFixture() {
    auto owned = std::make_unique<MockEngine>(
        MockEngine::Options{.scripts = {MockEngine::bytes("four")}, .cached_tokens = 3});
    engine = owned.get();
    gateway.add(make_mock_model(std::move(owned)));
  }
  Gateway gateway;
  MockEngine* engine;
};

constexpr const char* kAsk = R"({"model":"mock","prompt":"12345","n":2})";

TEST(MetricsTest, RequestsAreCountedUnderBothNames) {
  MetricsFixture fixture;
  answer(fixture.gateway, ask("/v1/completions", kAsk));
  answer(fixture.gateway, ask("/v1/completions", kAsk));
  answer(fixture.gateway, ask("/v1/completions", "{"));
  answer(fixture.gateway, ask("/nothing/here", ""));
  const Scrape scrape(fixture.gateway);
  const std::string ours = R"({model_name="mock"})";
  const std::string vllm = R"({engine="0",model_name="mock"})";
  EXPECT_EQ(scrape["hangar_prompt_tokens_total" + ours], 10);
  EXPECT_EQ(scrape["vllm:prompt_tokens_total" + vllm], 10);
  EXPECT_EQ(scrape["hangar_prompt_tokens_computed_total" + ours], 4);
  EXPECT_EQ(scrape["hangar_prefix_cache_hit_tokens_total" + ours], 6);
  EXPECT_EQ(scrape["vllm:prefix_cache_hits_total" + vllm], 6);
  EXPECT_EQ(scrape["vllm:prefix_cache_queries_total" + vllm], 10);
  EXPECT_EQ(scrape["vllm:generation_tokens_total" + vllm], 16);
  EXPECT_EQ(scrape["vllm:time_to_first_token_seconds_count" + vllm], 2);
  EXPECT_EQ(scrape["vllm:inter_token_latency_seconds_count" + vllm], 2 * 2 * 3);
  EXPECT_EQ(scrape["vllm:e2e_request_latency_seconds_count" + vllm], 2);
  EXPECT_EQ(scrape["vllm:request_queue_time_seconds_count" + vllm], 2);
  EXPECT_EQ(scrape["vllm:num_requests_running" + vllm], 0);
  EXPECT_EQ(scrape[R"(hangar_request_success_total{model_name="mock",finished_reason="stop"})"], 4);
  EXPECT_EQ(
      scrape[R"(vllm:request_success_total{engine="0",model_name="mock",finished_reason="stop"})"],
      4);
  EXPECT_EQ(scrape[R"(hangar_requests_total{model_name="mock",outcome="answered"})"], 2);
  EXPECT_EQ(scrape[R"(hangar_kv_blocks{model_name="mock",state="free"})"], 64);
  const std::string route = R"(method="POST",route="/v1/completions")";
  EXPECT_EQ(scrape["hangar_http_requests_total{" + route + R"(,status="200"})"], 2);
  EXPECT_EQ(scrape["hangar_http_requests_total{" + route + R"(,status="400"})"], 1);
  EXPECT_EQ(scrape[R"(hangar_http_requests_total{method="POST",route="none",status="404"})"], 1);
  EXPECT_EQ(scrape["hangar_http_requests_under_way{" + route + "}"], 0);
  EXPECT_EQ(scrape["hangar_http_request_seconds_count{" + route + "}"], 3);
  EXPECT_EQ(scrape["hangar_ready"], 1);
}

TEST(MetricsTest, EverySampleHasAFamilyAndEveryHistogramItsLastBucket) {
  MetricsFixture fixture;
  answer(fixture.gateway, ask("/v1/completions", kAsk));
  const Scrape scrape(fixture.gateway);
  for (const auto& [sample, value] : scrape.samples) {
    std::string name = sample.substr(0, sample.find('{'));
    if (!scrape.types.contains(name)) {
      name = std::regex_replace(name, std::regex("_(bucket|sum|count)$"), "");
      ASSERT_TRUE(scrape.types.contains(name)) << sample;
      EXPECT_EQ(scrape.types.at(name), "histogram") << sample;
    }
    EXPECT_TRUE(scrape.types.at(name) != "counter" || name.ends_with("_total")) << name;
    if (sample.ends_with("le=\"+Inf\"}")) {
      std::string count = std::regex_replace(sample, std::regex(",?le=\"\\+Inf\""), "");
      count = std::regex_replace(count, std::regex("_bucket"), "_count");
      EXPECT_EQ(value, scrape[count]) << sample;
    }
  }
}

TEST(MetricsTest, AClientThatLeavesFirstIs499) {
  auto owned = std::make_unique<MockEngine>(MockEngine::Options{.step_us = 1000});
  Gateway gateway;
  gateway.add(make_mock_model(std::move(owned)));
  {
    HandlerResult result = handle_request(
        gateway, ask("/v1/completions", R"({"model":"mock","prompt":"1","max_tokens":4000})"));
    const Scrape scrape(gateway);
    EXPECT_EQ(scrape[R"(hangar_http_requests_under_way{method="POST",route="/v1/completions"})"],
              1);
  }
  const Scrape scrape(gateway);
  EXPECT_EQ(
      scrape[R"(hangar_http_requests_total{method="POST",route="/v1/completions",status="499"})"],
      1);
  HttpRequest strange = ask("/health", "");
  strange.method = "BREW";
  answer(gateway, strange);
  EXPECT_EQ(Scrape(gateway)[R"(hangar_http_requests_total{method="OTHER",route="/health",)"
                            R"(status="405"})"],
            1);
}

// docs/monitoring.md names every metric, and no other.
TEST(MetricsTest, TheDocumentListsThemAll) {
  std::ifstream file(std::string(HANGAR_SOURCE_DIR) + "/docs/monitoring.md");
  ASSERT_TRUE(file);
  std::stringstream text;
  text << file.rdbuf();
  const std::string page = text.str();
  std::set<std::string> documented;
  const std::regex name(R"(`((?:hangar_|vllm:|process_)[a-z0-9_]+)`)");
  for (std::sregex_iterator at(page.begin(), page.end(), name), end; at != end; ++at) {
    documented.insert((*at)[1]);
  }
  MetricsFixture fixture;
  const HttpCounters counters;
  fixture.gateway.set_http_counters(&counters);
  auto cards = CardWatch::open({.nvml = HANGAR_FAKE_NVML_LIBRARY});
  ASSERT_TRUE(cards) << cards.error().message;
  fixture.gateway.watch_cards(std::move(*cards));
  answer(fixture.gateway, ask("/v1/completions", kAsk));
  const Scrape scrape(fixture.gateway);
  fixture.gateway.set_http_counters(nullptr);
  std::set<std::string> exposed;
  for (const auto& [family, type] : scrape.types) exposed.insert(family);
  EXPECT_EQ(documented, exposed);
}

}  // namespace
}  // namespace hangar
