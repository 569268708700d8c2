// TinyCheckpoint: a small random Llama in memory, for tests of model/ and engine/.
//
// Promise: the same seed gives the same weights; every tensor a Llama needs is there until a test
//   removes or reshapes it.
// Threads: const after construction.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "formats/checkpoint.h"

namespace hangar::testing {

struct TinyOptions {
  std::int32_t layers = 2;
  std::int32_t hidden = 32;
  std::int32_t feed_forward = 64;
  std::int32_t heads = 4;
  std::int32_t kv_heads = 2;
  std::int32_t vocabulary = 96;
  std::int32_t context_tokens = 128;
  bool tied = true;
  bool biases = false;
  std::uint32_t seed = 1;
};

class TinyCheckpoint final : public Checkpoint {
 public:
  explicit TinyCheckpoint(const TinyOptions& options);

  void remove(std::string_view name);
  void clear(std::string_view name);  // all zeros
  void reshape(std::string_view name, const std::vector<std::int64_t>& shape);
  // The tensor's values, to change in place; nullptr: not there.
  std::vector<float>* values(std::string_view name);
  // Adds a tensor; its name is not there yet.
  void put(std::string name, std::vector<std::int64_t> shape, std::vector<float> values);
  ModelConfig& mutable_config() { return config_; }

  std::string_view format() const override { return "memory"; }
  Result<ModelConfig> config() const override { return config_; }
  Result<TokenizerSpec> tokenizer() const override { return TokenizerSpec{}; }
  std::vector<ChatTemplateSource> chat_templates() const override { return {}; }
  const std::vector<TensorView>& tensors() const override { return tensors_; }
  const TensorView* find(std::string_view name) const override;
  std::vector<std::pair<std::string, std::string>> metadata() const override { return {}; }
  std::vector<std::filesystem::path> files() const override { return {}; }
  std::uint64_t file_bytes() const override { return 0; }

 private:
  void add(std::string name, std::int64_t rows, std::int64_t columns, float spread, float mean);

  ModelConfig config_;
  std::deque<std::pair<std::string, std::vector<float>>> storage_;
  std::vector<TensorView> tensors_;
  std::uint64_t state_;
};

}  // namespace hangar::testing
