// TestTensors: tensors under Hugging Face's names without any file: for the fuzzer and for tests.
//
// Promise: tiny_tensors() has, with hidden 8, two layers, 2 heads of 4 (1 for keys and values),
//   inner 12, 2 experts of 6 and 16 tokens, the tensors of every model type that is read, so that a
//   config of these sizes opens whatever type it names. All are F32 zeros.
// Threads: tests only.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "formats/hf/raw_tensors.h"

namespace hangar::hf {

class TestTensors final : public RawTensors {
 public:
  void add(const std::string& name, const std::vector<std::int64_t>& shape) {
    std::size_t bytes = sizeof(float);
    for (const std::int64_t d : shape) bytes *= static_cast<std::size_t>(d);
    data_.push_back(std::make_unique<std::byte[]>(bytes));
    tensors_.push_back({name, RawType::kF32, shape, {data_.back().get(), bytes}});
  }
  const RawTensor* find(std::string_view name) const override {
    for (const RawTensor& tensor : tensors_) {
      if (tensor.name == name) return &tensor;
    }
    return nullptr;
  }
  std::span<const RawTensor> all() const override { return tensors_; }

 private:
  std::vector<std::unique_ptr<std::byte[]>> data_;
  std::vector<RawTensor> tensors_;
};

inline std::unique_ptr<TestTensors> tiny_tensors() {
  struct Part {
    const char* name;
    std::vector<std::int64_t> shape;
  };
  auto out = std::make_unique<TestTensors>();
  for (const Part& part : std::vector<Part>{
           {"model.embed_tokens", {16, 8}}, {"model.norm", {8}}, {"lm_head", {16, 8}}}) {
    out->add(std::string(part.name) + ".weight", part.shape);
  }
  const std::vector<Part> parts = {{"input_layernorm.weight", {8}},
                                   {"post_attention_layernorm.weight", {8}},
                                   {"pre_feedforward_layernorm.weight", {8}},
                                   {"post_feedforward_layernorm.weight", {8}},
                                   {"self_attn.q_proj.weight", {8, 8}},
                                   {"self_attn.k_proj.weight", {4, 8}},
                                   {"self_attn.v_proj.weight", {4, 8}},
                                   {"self_attn.o_proj.weight", {8, 8}},
                                   {"self_attn.q_proj.bias", {8}},
                                   {"self_attn.k_proj.bias", {4}},
                                   {"self_attn.v_proj.bias", {4}},
                                   {"self_attn.o_proj.bias", {8}},
                                   {"self_attn.q_norm.weight", {4}},
                                   {"self_attn.k_norm.weight", {4}},
                                   {"self_attn.qkv_proj.weight", {16, 8}},
                                   {"mlp.gate_proj.weight", {12, 8}},
                                   {"mlp.up_proj.weight", {12, 8}},
                                   {"mlp.down_proj.weight", {8, 12}},
                                   {"mlp.gate_proj.bias", {12}},
                                   {"mlp.up_proj.bias", {12}},
                                   {"mlp.down_proj.bias", {8}},
                                   {"mlp.gate_up_proj.weight", {24, 8}},
                                   {"mlp.gate.weight", {2, 8}},
                                   {"mlp.experts.0.gate_proj.weight", {6, 8}},
                                   {"mlp.experts.0.up_proj.weight", {6, 8}},
                                   {"mlp.experts.0.down_proj.weight", {8, 6}},
                                   {"mlp.experts.1.gate_proj.weight", {6, 8}},
                                   {"mlp.experts.1.up_proj.weight", {6, 8}},
                                   {"mlp.experts.1.down_proj.weight", {8, 6}},
                                   {"block_sparse_moe.gate.weight", {2, 8}},
                                   {"block_sparse_moe.experts.0.w1.weight", {12, 8}},
                                   {"block_sparse_moe.experts.0.w3.weight", {12, 8}},
                                   {"block_sparse_moe.experts.0.w2.weight", {8, 12}},
                                   {"block_sparse_moe.experts.1.w1.weight", {12, 8}},
                                   {"block_sparse_moe.experts.1.w3.weight", {12, 8}},
                                   {"block_sparse_moe.experts.1.w2.weight", {8, 12}}};
  for (int layer = 0; layer < 2; ++layer) {
    for (const Part& part : parts) {
      out->add("model.layers." + std::to_string(layer) + "." + part.name, part.shape);
    }
  }
  return out;
}

}  // namespace hangar::hf
