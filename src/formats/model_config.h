// ModelConfig: a model's hyper-parameters, the same whatever file they came from.
//
// Promise: a loader has checked every number here against the tensors' shapes and against sane
//   bounds, so that products of them do not overflow.
// Units: tokens, elements.
// Threads: a value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tensor/gate_function.h"

namespace hangar {

enum class RopeScalingKind : std::uint8_t { kNone, kLinear, kLlama3, kYarn, kLongRope };

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
  // yarn and longrope: the magnitude of cos and sin. 0: yarn 0.1 ln(factor) + 1; longrope
  // sqrt(1 + ln(factor) / ln(original_context_tokens)), where factor is context_tokens /
  // original_context_tokens unless the file gives another.
  float attention_factor = 0.0F;
  // Divisors of each frequency, from GGUF's rope_freqs.weight (how converters write llama3
  // scaling); empty: none.
  std::vector<float> frequency_divisors;
  // longrope: divisors for contexts within the original length, and for longer ones. Which of them
  // holds is decided once, by the context the model is started with (ModelLimits::context_tokens).
  std::vector<float> short_divisors;
  std::vector<float> long_divisors;
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

  // What only some architectures have; the defaults mean "not used".
  std::optional<RopeConfig> sliding_rope;  // of layers with a window, where it differs (Gemma 3)
  GateFunction gate_function = GateFunction::kSilu;
  // Whether q, k, v (and o, where the architecture has such) come with biases, and the MLP's
  // matrices; nullopt: the file does not say and what is there is used.
  std::optional<bool> attention_bias;
  std::optional<bool> mlp_bias;
  float embedding_scale = 1.0F;     // multiplies embeddings (Gemma: sqrt(hidden))
  float attention_scale = 0.0F;     // multiplies q.k; 0: 1 / sqrt(head_dim)
  float attention_softcap = 0.0F;   // cap * tanh(q.k / cap) before the softmax
  float logit_softcap = 0.0F;       // the same of the logits
  std::int32_t sliding_window = 0;  // a token sees itself and window - 1 tokens before it
  // One entry a layer. Empty: every layer has the window (if there is one); every layer is rotated.
  std::vector<std::uint8_t> sliding_layers;
  std::vector<std::uint8_t> rotated_layers;
  std::int32_t experts = 0;
  std::int32_t experts_used = 0;         // of which a token goes through so many
  std::int32_t expert_feed_forward = 0;  // inner size of one
  bool normalize_expert_weights = true;  // the chosen ones' weights sum to 1
  // One entry a layer; empty: with `experts` > 0 every layer has them. Others have a plain MLP.
  std::vector<std::uint8_t> expert_layers;

  bool layer_slides(std::int32_t layer) const {
    return sliding_window > 0 &&
           (sliding_layers.empty() || sliding_layers[static_cast<std::size_t>(layer)] != 0);
  }
  bool layer_has_experts(std::int32_t layer) const {
    return experts > 0 &&
           (expert_layers.empty() || expert_layers[static_cast<std::size_t>(layer)] != 0);
  }
  bool layer_rotates(std::int32_t layer) const {
    return rotated_layers.empty() || rotated_layers[static_cast<std::size_t>(layer)] != 0;
  }
};

}  // namespace hangar
