#include "bench/summary.h"

#include <gtest/gtest.h>

#include <vector>

namespace hangar::bench {
namespace {

// Due at start_ms, pieces at these many milliseconds after that, ended with the last.
RequestRecord answered(std::int64_t start_ms, const std::vector<std::int64_t>& pieces_ms) {
  RequestRecord record;
  record.start_us = start_ms * 1000;
  for (const std::int64_t piece : pieces_ms) record.piece_us.push_back((start_ms + piece) * 1000);
  record.end_us = record.piece_us.back();
  record.prompt_tokens = 10;
  record.output_tokens = static_cast<std::int32_t>(pieces_ms.size());
  record.counted_by_server = true;
  record.outcome = Outcome::kDone;
  return record;
}

RequestRecord failed(const char* error) {
  RequestRecord record;
  record.outcome = Outcome::kFailed;
  record.error = error;
  record.error_detail = "because";
  return record;
}

TEST(Summary, LatenciesOfOneRequest) {
  const RequestRecord record = answered(1000, {50, 60, 90, 100});
  EXPECT_DOUBLE_EQ(*ttft_ms_of(record), 50);
  EXPECT_DOUBLE_EQ(*tpot_ms_of(record), 50.0 / 3);
  EXPECT_DOUBLE_EQ(e2e_ms_of(record), 100);
  const Summary summary = summarize(std::vector{record}, 2'000'000, {});
  EXPECT_EQ(summary.itl_ms.count, 3U);
  EXPECT_DOUBLE_EQ(summary.itl_ms.least, 10);
  EXPECT_DOUBLE_EQ(summary.itl_ms.most, 30);
  EXPECT_DOUBLE_EQ(summary.requests_per_s, 0.5);
  EXPECT_DOUBLE_EQ(summary.output_tokens_per_s, 2);
  EXPECT_DOUBLE_EQ(summary.prompt_tokens_per_s, 5);
  EXPECT_DOUBLE_EQ(summary.total_tokens_per_s, 7);
}

TEST(Summary, TokensThatShareAPieceCountInTpot) {
  RequestRecord record = answered(0, {10, 30});
  record.output_tokens = 5;
  EXPECT_DOUBLE_EQ(*tpot_ms_of(record), 5);
}

TEST(Summary, CountsEveryEnding) {
  std::vector<RequestRecord> records = {answered(0, {5, 6}), failed("http 429"), failed("http 429"),
                                        failed("timeout")};
  RequestRecord cancelled = answered(0, {5});
  cancelled.outcome = Outcome::kCancelled;
  records.push_back(cancelled);
  RequestRecord silent;  // running, nothing came
  records.push_back(silent);
  RequestRecord begun = answered(0, {400, 500});
  begun.outcome = Outcome::kRunning;
  records.push_back(begun);

  const Summary summary = summarize(records, 1'000'000, {});
  EXPECT_EQ(summary.done, 1);
  EXPECT_EQ(summary.failed, 3);
  EXPECT_EQ(summary.cancelled, 1);
  EXPECT_EQ(summary.unfinished, 2);
  EXPECT_EQ(summary.unfinished_silent, 1);
  EXPECT_EQ(summary.errors.at("http 429"), 2);
  EXPECT_EQ(summary.errors.at("timeout"), 1);
  EXPECT_EQ(summary.error_samples.at("timeout"), "because");
  EXPECT_EQ(summary.output_tokens, 2 + 1 + 2) << "all that came, whatever became of the request";
  EXPECT_EQ(summary.ttft_ms.count, 2U) << "the one cut off after its first token counts";
  EXPECT_DOUBLE_EQ(summary.ttft_ms.most, 400);
  EXPECT_EQ(summary.e2e_ms.count, 1U);
}

TEST(Summary, AnAnswerThatWasNotStreamedHasOnlyItsWholeTime) {
  RequestRecord record;
  record.start_us = 100'000;
  record.end_us = 350'000;
  record.output_tokens = 20;
  record.outcome = Outcome::kDone;
  EXPECT_FALSE(ttft_ms_of(record).has_value());
  EXPECT_FALSE(tpot_ms_of(record).has_value());
  const Summary summary = summarize(std::vector{record}, 1'000'000, {});
  EXPECT_EQ(summary.ttft_ms.count, 0U);
  EXPECT_DOUBLE_EQ(summary.e2e_ms.p50, 250);
  EXPECT_EQ(summary.uncounted, 1);
}

TEST(Goodput, NeedsEveryTargetThatIsStated) {
  const RequestRecord record = answered(0, {50, 60, 70});  // TTFT 50, TPOT 10, whole 70
  EXPECT_TRUE(meets(record, {}));
  EXPECT_TRUE(meets(record, {.ttft_ms = 50, .itl_ms = 10, .e2e_ms = 70}));
  EXPECT_FALSE(meets(record, {.ttft_ms = 49.9, .itl_ms = {}, .e2e_ms = {}}));
  EXPECT_FALSE(meets(record, {.ttft_ms = {}, .itl_ms = 9.9, .e2e_ms = {}}));
  EXPECT_FALSE(meets(record, {.ttft_ms = {}, .itl_ms = {}, .e2e_ms = 69.9}));
  EXPECT_TRUE(meets(answered(0, {50}), {.ttft_ms = {}, .itl_ms = 1, .e2e_ms = {}}));
  EXPECT_FALSE(meets(failed("timeout"), {}));
}

TEST(Goodput, IsARateAndAShareOfAnsweredAndFailed) {
  const std::vector<RequestRecord> records = {answered(0, {50, 60}), answered(0, {500, 510}),
                                              answered(0, {60, 70}), failed("reset")};
  const Summary summary =
      summarize(records, 4'000'000, {.ttft_ms = 100, .itl_ms = {}, .e2e_ms = {}});
  EXPECT_EQ(summary.good, 2);
  EXPECT_DOUBLE_EQ(summary.goodput_per_s, 0.5);
  EXPECT_DOUBLE_EQ(summary.good_share, 0.5);
}

TEST(Summary, OfNothingIsZeros) {
  const Summary summary = summarize({}, 0, {});
  EXPECT_EQ(summary.done, 0);
  EXPECT_DOUBLE_EQ(summary.output_tokens_per_s, 0);
}

}  // namespace
}  // namespace hangar::bench
