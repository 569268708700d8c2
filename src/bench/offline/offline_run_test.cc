#include "bench/offline/offline_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "bench/offline/offline_report.h"
#include "engine/local_engine.h"
#include "model/testing/tiny_checkpoint.h"

namespace hangar::bench {
namespace {

using hangar::testing::TinyCheckpoint;
using hangar::testing::TinyOptions;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Gt;
using ::testing::HasSubstr;
using enum OfflineKind;

struct Rig {
  explicit Rig(std::int32_t context_tokens = 128) {
    const auto checkpoint =
        std::make_shared<TinyCheckpoint>(TinyOptions{.context_tokens = context_tokens});
    LocalEngineOptions options;
    options.threads = 1;
    options.step_tokens = 64;
    options.batching.max_sequences = 8;
    options.prefix_cache = false;
    engine = make_local_engine(checkpoint, options).value();
    plan.config = checkpoint->config().value();
    plan.sizes = {.weight_bits = 32.0, .kv_token_bytes = 128.0};
    plan.rates = {.bytes_per_s = 1e12, .operations_per_s = 1e15};
  }

  OfflineRun run() {
    auto done = run_offline(*engine, plan);
    EXPECT_TRUE(done) << done.error().message;
    return done ? std::move(*done) : OfflineRun();
  }

  std::unique_ptr<Engine> engine;
  OfflinePlan plan;
};

TEST(OfflineRun, MeasuresEachKind) {
  Rig rig(2048);
  // So long that all sequences are there at once, even where the one that asks is held up.
  rig.plan.tests = {
      {.kind = kDecode, .requests = 4, .input_tokens = 16, .output_tokens = 1500, .repeats = 3},
      {.kind = kLoad, .requests = 20, .input_tokens = 8, .output_tokens = 10, .repeats = 2},
      {.kind = kPrefill, .requests = 8, .input_tokens = 32, .output_tokens = 1, .repeats = 2},
      {.kind = kFirstToken, .requests = 1, .input_tokens = 32, .output_tokens = 1, .repeats = 5}};
  const OfflineRun run = rig.run();
  ASSERT_EQ(run.results.size(), 4U);
  EXPECT_FALSE(run.interrupted);
  for (const OfflineResult& one : run.results) {
    SCOPED_TRACE(one.test.name());
    EXPECT_EQ(one.skipped, "");
    EXPECT_EQ(one.figures.size(), static_cast<std::size_t>(one.test.repeats));
    EXPECT_THAT(one.figures, Each(Gt(0.0)));
    EXPECT_GT(one.measured.steps, 0U);
    EXPECT_GT(one.bound, 0.0);
    EXPECT_GT(one.share(), 0.0);
    EXPECT_LT(one.share(), 1.0) << "no such machine computes at these rates";
  }
  ASSERT_TRUE(run.results[0].with_prompts);
  EXPECT_GT(*run.results[0].with_prompts, 0.0);
  EXPECT_FALSE(run.results[1].with_prompts);
  EXPECT_EQ(run.results[1].measured.tokens, 200);
  EXPECT_EQ(run.results[2].measured.tokens, 8);
  // A time: less is better, and the bound is the least.
  EXPECT_LT(run.results[3].bound, run.results[3].median());
}

TEST(OfflineRun, SkipsWhatTheEngineCannotRunAsItIsMeant) {
  Rig rig;
  rig.plan.tests = {{.kind = kDecode, .requests = 9, .input_tokens = 8, .output_tokens = 8},
                    {.kind = kLoad, .requests = 9, .input_tokens = 100, .output_tokens = 29},
                    {.kind = kLoad, .requests = 9, .input_tokens = 8, .output_tokens = 2}};
  const OfflineRun run = rig.run();
  ASSERT_EQ(run.results.size(), 3U);
  EXPECT_THAT(run.results[0].skipped, HasSubstr("8 sequences run at once"));
  EXPECT_TRUE(run.results[0].figures.empty());
  EXPECT_THAT(run.results[1].skipped, HasSubstr("129 tokens are longer than the context of 128"));
  EXPECT_EQ(run.results[2].skipped, "") << "a load may wait for places";
}

TEST(OfflineRun, AnswersTooShortToBeSteadyAreAnError) {
  Rig rig;
  rig.plan.tests = {{.kind = kDecode, .requests = 8, .input_tokens = 60, .output_tokens = 2}};
  const auto run = run_offline(*rig.engine, rig.plan);
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(run.error().message, HasSubstr("decode x8 (60 in, 2 out)"));
}

TEST(OfflineRun, TheTickEndsItWithWhatThereIs) {
  Rig rig;
  rig.plan.tests = {{.kind = kFirstToken, .input_tokens = 8, .output_tokens = 1},
                    {.kind = kLoad, .requests = 8, .input_tokens = 8, .output_tokens = 100}};
  rig.plan.tick = [](const OfflineTest& test, std::int32_t repeat) {
    return test.kind == kFirstToken || repeat == 0;
  };
  const OfflineRun run = rig.run();
  EXPECT_TRUE(run.interrupted);
  ASSERT_EQ(run.results.size(), 1U);
  EXPECT_EQ(run.results[0].test.kind, kFirstToken);
}

TEST(OfflineRun, BoundsFollowFromTheEnginesRoom) {
  OfflinePlan plan;
  plan.config = TinyCheckpoint(TinyOptions{}).config().value();
  plan.sizes = {.weight_bits = 16.0, .kv_token_bytes = 0.0};
  plan.rates = {.bytes_per_s = 1e9};
  EngineInfo info;
  info.max_running = 64;
  info.kv_blocks = 1000;
  info.block_tokens = 16;
  info.context_tokens = 128;
  info.step_tokens = 256;
  const OfflineTest one = {.kind = kDecode, .requests = 1, .input_tokens = 16, .output_tokens = 17};
  OfflineTest many = one;
  many.requests = 32;
  const double alone = offline_bound(one, plan, info);
  // Without keys and values 32 sequences read what one reads.
  EXPECT_NEAR(offline_bound(many, plan, info), 32 * alone, 1e-6 * alone);
  // 33 tokens are 3 blocks: 30 hold ten sequences at once.
  info.kv_blocks = 30;
  many.kind = kLoad;
  const double crowded = offline_bound(many, plan, info);
  info.kv_blocks = 1000;
  EXPECT_GT(offline_bound(many, plan, info), 2 * crowded);
  // As crowded by what is there at once.
  many.at_once = 10;
  EXPECT_NEAR(offline_bound(many, plan, info), crowded, 1e-6 * crowded);
  EXPECT_EQ(many.name(), "32 requests (16 in, 17 out), 10 at a time");
  plan.rates = {};
  EXPECT_EQ(offline_bound(one, plan, info), 0.0);
}

TEST(OfflineSuite, NamesItsTestsAndTheirPeers) {
  const std::vector<OfflineTest> suite = card_suite();
  std::vector<std::string> names;
  for (const OfflineTest& test : suite) {
    names.push_back(test.name());
    EXPECT_TRUE(test.peer) << test.name();
  }
  EXPECT_THAT(names,
              ElementsAre("decode x1 (128 in, 256 out)", "decode x8 (128 in, 256 out)",
                          "decode x32 (128 in, 256 out)", "decode x64 (128 in, 256 out)",
                          "decode x128 (128 in, 256 out)", "decode x256 (128 in, 256 out)",
                          "2000 requests (128 in, 128 out)", "1000 requests (1000 in, 1000 out)",
                          "prefill 128 x 128", "first token (128 in)"));
}

// A report of one measured and one skipped test.
OfflineReport sample_report() {
  OfflineReport report;
  report.facts = {{"model", "tiny"}};
  report.rates = {.bytes_per_s = 4e12};
  report.load_s = 1.5;
  report.first_token_s = 2.25;
  OfflineResult decode;
  decode.test = {.kind = kDecode, .requests = 64, .repeats = 3, .peer = 10492.0};
  decode.figures = {11000.0, 13000.0, 12000.0};
  decode.with_prompts = 9000.0;
  decode.bound = 20000.0;
  decode.measured = {.seconds = 1.0,
                     .tokens = 12000,
                     .steps = 200,
                     .rows = 12800,
                     .busy_s = 0.97,
                     .host_s = 0.1,
                     .device_s = 0.9};
  OfflineResult skipped;
  skipped.test = {.kind = kPrefill, .requests = 128, .output_tokens = 1};
  skipped.skipped = "64 sequences run at once at most";
  report.run.results = {decode, skipped};
  return report;
}

TEST(OfflineReport, TablesAndJsonSayTheSame) {
  const OfflineReport report = sample_report();
  const std::vector<PageTable> tables = offline_tables(report);
  ASSERT_EQ(tables.size(), 3U);
  EXPECT_THAT(tables[0].rows[0], ElementsAre("decode x64 (128 in, 256 out)", "12000 tok/s",
                                             "11000 to 13000", "20000", "60.0%", "10492", "9000"));
  EXPECT_THAT(tables[0].rows[1],
              ElementsAre("prefill 128 x 128", "skipped", "-", "-", "-", "-", "-"));
  // The device's own time is what counts as busy.
  ASSERT_EQ(tables[1].rows.size(), 1U);
  EXPECT_THAT(tables[1].rows[0], ElementsAre("decode x64 (128 in, 256 out)", "200", "64.00", "5000",
                                             "90.0%", "10.0%", "500.0"));
  EXPECT_THAT(tables[2].rows[0],
              ElementsAre("prefill 128 x 128", "64 sequences run at once at most"));

  const boost::json::object json = offline_json(report);
  EXPECT_EQ(json.at("benchmark"), "engine");
  EXPECT_EQ(json.at("process_start_to_first_token_s"), 2.25);
  EXPECT_EQ(json.at("machine").at("bytes_per_s"), 4e12);
  EXPECT_TRUE(json.at("machine").at("operations_per_s").is_null());
  const boost::json::array& tests = json.at("tests").as_array();
  ASSERT_EQ(tests.size(), 2U);
  EXPECT_EQ(tests[0].at("median"), 12000.0);
  EXPECT_EQ(tests[0].at("share"), 0.6);
  EXPECT_EQ(tests[0].at("peer"), 10492.0);
  EXPECT_EQ(tests[0].at("steps").at("busy_us"), 4500.0);
  EXPECT_EQ(tests[0].at("steps").at("under_way_us"), 4850.0);
  EXPECT_EQ(tests[0].at("steps").at("busy_is_the_devices"), true);
  EXPECT_EQ(tests[1].at("skipped"), "64 sequences run at once at most");
}

TEST(OfflineReport, WhatIsNotKnownIsADash) {
  OfflineReport report = sample_report();
  report.run.results[0].bound = 0.0;
  report.run.results[0].test.peer.reset();
  report.run.results[0].measured.device_s.reset();
  const std::vector<PageTable> tables = offline_tables(report);
  EXPECT_THAT(tables[0].rows[0], ElementsAre("decode x64 (128 in, 256 out)", "12000 tok/s",
                                             "11000 to 13000", "-", "-", "9000"));
  EXPECT_EQ(tables[1].rows[0][4], "97.0%");
  EXPECT_TRUE(offline_json(report).at("tests").at(0).at("bound").is_null());
}

}  // namespace
}  // namespace hangar::bench
