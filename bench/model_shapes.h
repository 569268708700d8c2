// The models whose shapes the kernels are measured at: one table.
//
// Promise: model_shapes() are the public configurations of these models, the smallest first.
// Units: elements.
// Threads: constants.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace hangar::bench {

struct ModelShape {
  const char* name;
  std::int64_t hidden;
  std::int64_t feed_forward;
  std::int32_t heads;
  std::int32_t kv_heads;
  std::int32_t head_dim;
  std::int32_t layers;
  std::int64_t vocabulary;

  std::int64_t q_columns() const { return std::int64_t{heads} * head_dim; }
  std::int64_t kv_columns() const { return std::int64_t{kv_heads} * head_dim; }
};

inline constexpr std::array<ModelShape, 4> kModelShapes = {{
    {"SmolLM2-135M", 576, 1536, 9, 3, 64, 30, 49152},
    {"Llama-3.2-1B", 2048, 8192, 32, 8, 64, 16, 128256},
    {"Qwen3-4B", 2560, 9728, 32, 8, 128, 36, 151936},
    {"Llama-3-8B", 4096, 14336, 32, 8, 128, 32, 128256},
}};

// One call of Backend::matmul in a layer, or the head's: several weights that read one x.
struct ProductShape {
  const char* name;
  std::vector<std::int64_t> outputs;
  std::int64_t columns;
  bool fine;           // InputPrecision::kFine, as the model asks for
  std::int32_t count;  // of them in the model
};

inline std::vector<ProductShape> products_of(const ModelShape& m) {
  return {
      {"qkv", {m.q_columns(), m.kv_columns(), m.kv_columns()}, m.hidden, true, m.layers},
      {"attention_out", {m.hidden}, m.q_columns(), true, m.layers},
      {"gate_up", {m.feed_forward, m.feed_forward}, m.hidden, false, m.layers},
      {"down", {m.hidden}, m.feed_forward, false, m.layers},
      {"head", {m.vocabulary}, m.hidden, false, 1},
  };
}

}  // namespace hangar::bench
