#include "plan/step_bounds.h"

#include <gtest/gtest.h>

#include <cmath>

namespace hangar {
namespace {

// Llama-3-8B's shape, whose bounds are known.
ModelConfig llama_8b() {
  ModelConfig config;
  config.architecture = "llama";
  config.layers = 32;
  config.hidden = 4096;
  config.feed_forward = 14336;
  config.heads = 32;
  config.kv_heads = 8;
  config.head_dim = 128;
  config.vocabulary = 128256;
  return config;
}

constexpr StoredSizes kBf16 = {.weight_bits = 16.0, .kv_token_bytes = 131072.0};

TEST(StepBounds, OneStreamReadsEveryWeightOnceAToken) {
  const LoadShape load = {.requests = 1, .running = 1, .input_tokens = 128, .output_tokens = 257};
  const StepWork work = decode_work(llama_8b(), kBf16, load);
  // 32 layers of 218,103,808 elements and the head's 525,336,576, two bytes each.
  EXPECT_DOUBLE_EQ(work.weight_bytes / 256, 2.0 * (32 * 218'103'808.0 + 525'336'576.0));
  // Behind 128 tokens, 256 times: the mean token attends to 256.5.
  EXPECT_DOUBLE_EQ(work.kv_bytes / 256, 131072.0 * 256.5);
  // At 4.53 TB/s that is the known 301 tokens a second, less the keys and values.
  const double seconds = least_seconds(work, {.bytes_per_s = 4.53e12});
  EXPECT_NEAR(256 / seconds, 301.0, 2.0);
  EXPECT_DOUBLE_EQ(active_elements(llama_8b()), 7'504'658'432.0);
}

TEST(StepBounds, SequencesThatRunTogetherShareTheWeights) {
  const ModelConfig config = llama_8b();
  const LoadShape one = {.requests = 1, .running = 1, .input_tokens = 128, .output_tokens = 257};
  LoadShape many = one;
  many.requests = many.running = 64;
  const StepWork alone = decode_work(config, kBf16, one);
  const StepWork together = decode_work(config, kBf16, many);
  EXPECT_DOUBLE_EQ(together.weight_bytes, alone.weight_bytes);
  EXPECT_DOUBLE_EQ(together.kv_bytes, 64 * alone.kv_bytes);
  EXPECT_DOUBLE_EQ(together.operations, 64 * alone.operations);
  // 128 requests, 64 at once: each weight twice as often.
  many.requests = 128;
  EXPECT_DOUBLE_EQ(decode_work(config, kBf16, many).weight_bytes, 2 * alone.weight_bytes);
}

TEST(StepBounds, PrefillComputesEveryRowAndTheHeadForEachLast) {
  const LoadShape load = {.requests = 128,
                          .running = 128,
                          .input_tokens = 128,
                          .output_tokens = 1,
                          .step_tokens = 8192};
  const StepWork work = prefill_work(llama_8b(), kBf16, load);
  const double layers = 32 * 218'103'808.0;
  const double pairs = 32 * 128.0 * 129.0 / 2.0;
  EXPECT_DOUBLE_EQ(work.operations,
                   2.0 * (128 * 128 * layers + 128 * 525'336'576.0) + 128 * 4.0 * 4096 * pairs);
  EXPECT_DOUBLE_EQ(work.weight_bytes, 2 * 2.0 * (layers + 525'336'576.0)) << "two steps of 8,192";
  EXPECT_DOUBLE_EQ(work.kv_bytes, 128.0 * 128.0 * 131072.0);
  // Bound by the products: the known 52,000 tokens a second at about 730 TFLOPS.
  const double seconds = least_seconds(work, {.bytes_per_s = 4.53e12, .operations_per_s = 730e12});
  EXPECT_NEAR(128 * 128 / seconds, 52'000, 1'000);
  EXPECT_EQ(decode_work(llama_8b(), kBf16, load).bytes(), 0.0);
}

TEST(StepBounds, TheSlowerOfBytesAndOperationsDecides) {
  const StepWork work = {.weight_bytes = 60.0, .kv_bytes = 40.0, .operations = 900.0};
  EXPECT_DOUBLE_EQ(least_seconds(work, {.bytes_per_s = 10.0}), 10.0);
  EXPECT_DOUBLE_EQ(least_seconds(work, {.operations_per_s = 30.0}), 30.0);
  EXPECT_DOUBLE_EQ(least_seconds(work, {10.0, 30.0}), 30.0);
  EXPECT_DOUBLE_EQ(least_seconds(work, {10.0, 900.0}), 10.0);
  EXPECT_EQ(least_seconds(work, {}), 0.0);
  StepWork sum = work;
  sum += work;
  EXPECT_DOUBLE_EQ(sum.bytes(), 200.0);
  EXPECT_DOUBLE_EQ(sum.operations, 1800.0);
}

TEST(StepBounds, AWindowBoundsWhatItsLayersRead) {
  ModelConfig config = llama_8b();
  config.layers = 2;
  config.sliding_window = 16;
  config.sliding_layers = {1, 0};
  const StoredSizes sizes = {.weight_bits = 16.0, .kv_token_bytes = 2.0};  // 1 a layer and token
  const LoadShape load = {
      .requests = 1, .running = 1, .input_tokens = 100, .output_tokens = 11, .step_tokens = 1000};
  double full = 0.0;
  for (int i = 1; i <= 10; ++i) full += 100 + i;
  EXPECT_DOUBLE_EQ(decode_work(config, sizes, load).kv_bytes, full + 10 * 16);
  // A prompt's step reads all of its tokens once in either kind of layer.
  EXPECT_DOUBLE_EQ(prefill_work(config, sizes, load).kv_bytes, 200.0);
}

TEST(StepBounds, OfExpertsThoseThatRowsPick) {
  ModelConfig config = llama_8b();
  config.layers = 1;
  config.experts = 8;
  config.experts_used = 2;
  config.expert_feed_forward = 1000;
  const double attention = 4096.0 * (2 * 4096 + 2 * 1024);
  const double expert = 3.0 * 4096 * 1000;
  const double router = 8.0 * 4096;
  const double head = 4096.0 * 128256;
  LoadShape load = {.requests = 1, .running = 1, .input_tokens = 1, .output_tokens = 2};
  const StepWork one = decode_work(config, kBf16, load);
  EXPECT_NEAR(one.weight_bytes, 2.0 * (attention + router + 2 * expert + head), 1.0);
  load.requests = load.running = 4;
  const double touched = 8 * (1 - std::pow(0.75, 4));
  const StepWork four = decode_work(config, kBf16, load);
  EXPECT_NEAR(four.weight_bytes, 2.0 * (attention + router + touched * expert + head), 1.0);
  load.requests = load.running = 1000;
  EXPECT_NEAR(decode_work(config, kBf16, load).weight_bytes,
              2.0 * (attention + router + 8 * expert + head), 1.0);
  // A row computes with two, however many are read.
  EXPECT_NEAR(four.operations / one.operations, 4.0, 1e-9);
  EXPECT_DOUBLE_EQ(active_elements(config), attention + router + 2 * expert + head);
}

}  // namespace
}  // namespace hangar
