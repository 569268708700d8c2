// The golden data: what the reference answers to each prompt, as tools/make_golden.py wrote it
// down.
//
// Promise: read_golden() gives all of smollm2.json and smollm2.bin of HANGAR_SOURCE_DIR, or fails
// the
//   test with what is wrong. A Position's ids are the reference's likeliest tokens, likeliest
//   first.
// Units: logits as the model gives them; KL divergences in nats.
// Threads: values.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace hangar::golden {

struct Position {
  std::int32_t index = 0;  // in the prompt
  std::vector<std::int32_t> ids;
  std::vector<float> logits;
  float rest_logsumexp = 0.0F;  // of the logits of all other tokens
};

struct Prompt {
  std::string name;
  std::vector<std::int32_t> ids;
  std::vector<Position> positions;
  std::vector<std::int32_t> greedy_ids;
  std::vector<float> greedy_gaps;  // top logit less the second, at each step
  double llama_cpp_kl_mean = 0.0;
};

std::vector<Prompt> read_golden();

// KL(reference || ours) with all tokens outside position.ids joined in one bucket.
double kl_divergence(const Position& position, std::span<const float> logits);

// How far the gap between the reference's two likeliest tokens is from what it should be.
float gap_error(const Position& position, std::span<const float> logits);

// HANGAR_TEST_MODEL, or the default model in the cache folder; empty where there is none.
std::filesystem::path model_path();

}  // namespace hangar::golden
