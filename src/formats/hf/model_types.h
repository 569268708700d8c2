// The model types that are read: the one place that knows them all.
//
// Promise: find_model_type(name) gives the entry for config.json's model_type, or nullptr. An entry
//   holds what transformers takes where config.json is silent, and the rules by which the tensors'
//   names become GGUF's.
// Threads: constant data.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "formats/hf/fields.h"
#include "formats/model_config.h"

namespace hangar::hf {

// A dimension of a tensor, by the config's words.
enum class Size : std::uint8_t {
  kHidden,
  kHeadDim,
  kQuery,          // heads * head_dim
  kKeyValue,       // kv_heads * head_dim
  kQueryKeyValue,  // all three, one after another
  kFeedForward,
  kTwiceFeedForward,  // gate and up, one after the other
  kExperts,
  kExpertFeedForward,
};

enum class Bias : std::uint8_t { kNone, kQueryKeyValue, kAttentionOutput, kMlp };

enum class Layers : std::uint8_t {
  kAll,
  kDense,   // those without experts
  kSparse,  // those with experts
};

// A module of a layer: "model.layers.N.<hf>" -> "blk.N.<gguf>". In the rules of experts both names
// hold '#', which stands for the expert's number.
struct ModuleRule {
  std::string_view hf;
  std::string_view gguf;
  Size rows = Size::kHidden;     // a vector's length
  Size columns = Size::kHidden;  // of a matrix
  bool vector = false;
  Bias bias = Bias::kNone;
  Layers layers = Layers::kAll;
  std::string_view hf_too = {};  // another spelling of hf
};

// Sizes that config.json may leave out; 0: it may not (kv_heads: as many as heads).
struct SizeDefaults {
  std::int32_t layers = 0;
  std::int32_t hidden = 0;
  std::int32_t feed_forward = 0;
  std::int32_t heads = 0;
  std::int32_t kv_heads = 0;
  std::int32_t head_dim = 0;  // 0: hidden / heads
  std::int32_t vocabulary = 0;
};

// config.json as the rest of this folder takes it.
struct ModelType;
struct FolderConfig {
  ModelConfig model;
  const ModelType* type = nullptr;
  bool query_key_value_bias = false;
  bool attention_output_bias = false;
  bool mlp_bias = false;
};

struct ModelType {
  std::string_view name;          // config.json's model_type
  std::string_view class_name;    // "LlamaForCausalLM"
  std::string_view architecture;  // as model/arch/list.cc has it
  float norm_epsilon = 1e-6F;
  float rope_base = 10000.0F;
  std::int32_t context_tokens = 0;
  bool tied_embeddings = false;
  bool norms_add_one = false;  // weights are stored as their difference from 1
  SizeDefaults sizes = {};
  std::span<const ModuleRule> modules;
  // Whatever only this type has: windows, experts, caps, biases.
  Status (*read_rest)(const Fields& fields, FolderConfig& config);
};

std::span<const ModelType> model_types();
const ModelType* find_model_type(std::string_view name);
// What to tell about a model_type that is not in the list.
Error unknown_model_type(std::string_view file, std::string_view name);

}  // namespace hangar::hf
