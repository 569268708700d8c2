// ModelConfig: a model's hyper-parameters, the same whatever file they came from.
//
// Promise: a loader has checked every number here against the tensors' shapes and against sane
//   bounds, so that products of them do not overflow.
// Units: tokens, elements.
// Threads: a value.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hangar {

enum class RopeScalingKind : std::uint8_t { kNone, kLinear, kLlama3, kYarn };

struct RopeConfig {
  float base = 10000.0F;
  std::int32_t dim = 0;     // elements of a head that are rotated
  bool interleaved = true;  // see RopeTable
  RopeScalingKind scaling = RopeScalingKind::kNone;
  float factor = 1.0F;
  std::int32_t original_context_tokens = 0;
  float low_frequency_factor = 1.0F;   // llama3
  float high_frequency_factor = 4.0F;  // llama3
  float beta_fast = 32.0F;             // yarn
  float beta_slow = 1.0F;              // yarn
  float attention_factor = 0.0F;       // yarn; 0: 0.1 ln(factor) + 1
  // Divisors of each frequency, from GGUF's rope_freqs.weight (how converters write llama3
  // scaling); empty: none.
  std::vector<float> frequency_divisors;
};

struct ModelConfig {
  std::string architecture;  // "llama"
  std::string name;
  std::string license;  // "" where the file does not say
  std::int32_t layers = 0;
  std::int32_t hidden = 0;
  std::int32_t feed_forward = 0;
  std::int32_t heads = 0;
  std::int32_t kv_heads = 0;
  std::int32_t head_dim = 0;
  std::int32_t vocabulary = 0;
  std::int32_t context_tokens = 0;  // what it was trained for
  float norm_epsilon = 1e-5F;
  bool tied_embeddings = false;  // the head is the embedding table
  RopeConfig rope;
};

}  // namespace hangar
