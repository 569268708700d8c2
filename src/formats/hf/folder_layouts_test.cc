// Layouts of weights beyond one plain matrix a tensor: experts one by one and stacked, fused
// projections, norms stored as their difference from 1, and weights in 8 bits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/checkpoint.h"
#include "formats/hf/checkpoint.h"
#include "formats/hf/test_folder.h"

namespace hangar::hf {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::unique_ptr<Checkpoint> right(const TestFolder& folder) {
  auto opened = open_checkpoint(folder.path());
  EXPECT_TRUE(opened) << opened.error().message;
  return opened ? std::move(*opened) : nullptr;
}

std::vector<float> floats(const Checkpoint& checkpoint, const std::string& name) {
  const TensorView* view = checkpoint.find(name);
  EXPECT_NE(view, nullptr) << name;
  if (view == nullptr) return {};
  EXPECT_EQ(view->dtype, DType::kF32) << name;
  std::vector<float> out(view->data.size() / sizeof(float));
  std::memcpy(out.data(), view->data.data(), view->data.size());
  return out;
}

// A tiny Mixtral without its experts: 2 of inner size 12.
TestModel mixtral() {
  TestModel model;
  model.config["model_type"] = "mixtral";
  model.config["architectures"] = boost::json::array{"MixtralForCausalLM"};
  model.config["num_local_experts"] = 2;
  model.config["num_experts_per_tok"] = 1;
  std::erase_if(model.tensors,
                [](const auto& item) { return item.first.find(".mlp.") != std::string::npos; });
  return model;
}

std::vector<float> part_of(const TestTensor& tensor, std::size_t first, std::size_t count) {
  const auto begin = tensor.values.begin() + static_cast<std::ptrdiff_t>(first);
  return {begin, begin + static_cast<std::ptrdiff_t>(count)};
}

TEST(FolderLayoutsTest, ExpertsOneByOne) {
  for (const bool new_names : {false, true}) {
    const TestFolder folder;
    TestModel model = mixtral();
    const std::string block = new_names ? "mlp" : "block_sparse_moe";
    const std::string gate = new_names ? "gate_proj" : "w1";
    const std::string down = new_names ? "down_proj" : "w2";
    const std::string up = new_names ? "up_proj" : "w3";
    for (int layer = 0; layer < 2; ++layer) {
      const std::string moe = fmt::format("model.layers.{}.{}.", layer, block);
      model.add(moe + "gate.weight", {2, 8});
      for (int e = 0; e < 2; ++e) {
        const std::string expert = fmt::format("{}experts.{}.", moe, e);
        model.add(expert + gate + ".weight", {12, 8});
        model.add(expert + up + ".weight", {12, 8});
        model.add(expert + down + ".weight", {8, 12});
      }
    }
    model.write(folder);
    const auto checkpoint = right(folder);
    ASSERT_TRUE(checkpoint);
    const std::string first = "model.layers.1." + block + ".";
    EXPECT_EQ(floats(*checkpoint, "blk.1.ffn_gate_inp.weight"),
              model.tensors[first + "gate.weight"].values);
    EXPECT_EQ(floats(*checkpoint, "blk.1.ffn_gate.1.weight"),
              model.tensors[first + "experts.1." + gate + ".weight"].values);
    EXPECT_EQ(floats(*checkpoint, "blk.1.ffn_up.0.weight"),
              model.tensors[first + "experts.0." + up + ".weight"].values);
    EXPECT_EQ(floats(*checkpoint, "blk.0.ffn_down.1.weight"),
              model.tensors["model.layers.0." + block + ".experts.1." + down + ".weight"].values);
    model.tensors.erase(first + "experts.1." + up + ".weight");
    model.write(folder);
    const auto broken = open_checkpoint(folder.path());
    ASSERT_FALSE(broken);
    EXPECT_THAT(broken.error().message, HasSubstr("experts.1."));
  }
}

TEST(FolderLayoutsTest, ExpertsStacked) {
  const TestFolder folder;
  TestModel model = mixtral();
  for (int layer = 0; layer < 2; ++layer) {
    const std::string moe = fmt::format("model.layers.{}.mlp.", layer);
    model.add(moe + "gate.weight", {2, 8});
    model.add(moe + "experts.gate_up_proj", {2, 24, 8});
    model.add(moe + "experts.down_proj", {2, 8, 12});
  }
  model.write(folder);
  const auto checkpoint = right(folder);
  ASSERT_TRUE(checkpoint);
  const TestTensor& gate_up = model.tensors["model.layers.1.mlp.experts.gate_up_proj"];
  const TestTensor& down = model.tensors["model.layers.1.mlp.experts.down_proj"];
  const std::size_t inner = std::size_t{12} * 8;
  for (std::size_t e = 0; e < 2; ++e) {
    const std::size_t first = e * 2 * inner;
    EXPECT_EQ(floats(*checkpoint, fmt::format("blk.1.ffn_gate.{}.weight", e)),
              part_of(gate_up, first, inner));
    EXPECT_EQ(floats(*checkpoint, fmt::format("blk.1.ffn_up.{}.weight", e)),
              part_of(gate_up, first + inner, inner));
    EXPECT_EQ(floats(*checkpoint, fmt::format("blk.1.ffn_down.{}.weight", e)),
              part_of(down, e * inner, inner));
  }
  EXPECT_THAT(checkpoint->find("blk.1.ffn_up.1.weight")->shape, ElementsAre(12, 8));
  EXPECT_THAT(checkpoint->find("blk.1.ffn_down.1.weight")->shape, ElementsAre(8, 12));
  model.add("model.layers.0.mlp.experts.down_proj", {2, 12, 8});
  model.write(folder);
  EXPECT_THAT(open_checkpoint(folder.path()).error().message,
              HasSubstr("{2, 12, 8} found, {2, 8, 12} expected"));
}

TEST(FolderLayoutsTest, FusedProjectionsStayFused) {
  const TestFolder folder;
  TestModel model;
  model.config["model_type"] = "phi3";
  model.config["architectures"] = boost::json::array{"Phi3ForCausalLM"};
  for (int layer = 0; layer < 2; ++layer) {
    const std::string prefix = fmt::format("model.layers.{}.", layer);
    for (const std::string name : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
                                   "mlp.gate_proj", "mlp.up_proj"}) {
      model.tensors.erase(prefix + name + ".weight");
    }
    model.add(prefix + "self_attn.qkv_proj.weight", {16, 8});
    model.add(prefix + "mlp.gate_up_proj.weight", {24, 8});
  }
  model.write(folder);
  const auto checkpoint = right(folder);
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(floats(*checkpoint, "blk.1.attn_qkv.weight"),
            model.tensors["model.layers.1.self_attn.qkv_proj.weight"].values);
  EXPECT_EQ(floats(*checkpoint, "blk.1.ffn_up.weight"),
            model.tensors["model.layers.1.mlp.gate_up_proj.weight"].values);
}

TEST(FolderLayoutsTest, GemmasNormsGetTheirOneBack) {
  const TestFolder folder;
  TestModel model;
  model.config["model_type"] = "gemma2";
  model.config["architectures"] = boost::json::array{"Gemma2ForCausalLM"};
  model.config["head_dim"] = 4;
  for (int layer = 0; layer < 2; ++layer) {
    const std::string prefix = fmt::format("model.layers.{}.", layer);
    model.add(prefix + "pre_feedforward_layernorm.weight", {8});
    model.add(prefix + "post_feedforward_layernorm.weight", {8});
  }
  model.write(folder);
  const auto checkpoint = right(folder);
  ASSERT_TRUE(checkpoint);
  const std::vector<std::pair<std::string, std::string>> norms = {
      {"output_norm", "model.norm"},
      {"blk.1.attn_norm", "model.layers.1.input_layernorm"},
      {"blk.1.post_attention_norm", "model.layers.1.post_attention_layernorm"},
      {"blk.1.ffn_norm", "model.layers.1.pre_feedforward_layernorm"},
      {"blk.1.post_ffw_norm", "model.layers.1.post_feedforward_layernorm"}};
  for (const auto& [gguf, hf] : norms) {
    std::vector<float> expected = model.tensors[hf + ".weight"].values;
    for (float& value : expected) value += 1.0F;
    EXPECT_EQ(floats(*checkpoint, gguf + ".weight"), expected) << gguf;
  }
  EXPECT_EQ(floats(*checkpoint, "blk.1.attn_q.weight"),
            model.tensors["model.layers.1.self_attn.q_proj.weight"].values);
}

// Older folders have a file of their own for it; config.json's word goes first.
TEST(FolderLayoutsTest, QuantizationMayStandInAFileOfItsOwn) {
  const TestFolder folder;
  TestModel model;
  model.write(folder);
  write_file(folder / "quantize_config.json",
             R"({"bits": 4, "group_size": 32, "desc_act": false, "sym": true})");
  const auto checkpoint = right(folder);
  ASSERT_TRUE(checkpoint);
  EXPECT_THAT(std::string(checkpoint->format()), HasSubstr("GPTQ"));
  model.config["quantization_config"] = {{"quant_method", "fp8"}};
  model.write(folder);
  const auto both = right(folder);
  ASSERT_TRUE(both);
  EXPECT_THAT(std::string(both->format()), HasSubstr("FP8"));
}

TEST(FolderLayoutsTest, EightBitWeightsAreMadeWhenRead) {
  const TestFolder folder;
  TestModel model;
  model.config["quantization_config"] = {{"quant_method", "fp8"}};
  model.write_config(folder);
  const std::string module = "model.layers.0.mlp.up_proj";
  model.tensors.erase(module + ".weight");
  SafetensorsWriter writer = model.writer();
  writer.add(module + ".weight", "F8_E4M3", {12, 8}, std::string(96, '\x38'));  // 1.0
  writer.add_f32(module + ".weight_scale", {}, {0.5F});
  write_file(folder / "model.safetensors", writer.bytes());
  const auto checkpoint = right(folder);
  ASSERT_TRUE(checkpoint);
  EXPECT_THAT(std::string(checkpoint->format()), HasSubstr("FP8"));
  const TensorView* listed = checkpoint->find("blk.0.ffn_up.weight");
  ASSERT_NE(listed, nullptr);
  EXPECT_TRUE(listed->data.empty());
  EXPECT_EQ(listed->dtype, DType::kF8E4M3);
  EXPECT_THAT(listed->shape, ElementsAre(12, 8));
  const auto read = checkpoint->read(*listed);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->name, "blk.0.ffn_up.weight");
  EXPECT_EQ(read->data.size(), 96U);
  EXPECT_THAT(std::vector<std::byte>(read->data.begin(), read->data.end()), Each(std::byte{0x38}));
  ASSERT_TRUE(read->scales);
  EXPECT_THAT(read->scales->values, Each(0.5F));
  const TensorView* plain = checkpoint->find("blk.1.ffn_up.weight");
  ASSERT_NE(plain, nullptr);
  EXPECT_EQ(plain->dtype, DType::kF32);
}

}  // namespace
}  // namespace hangar::hf
