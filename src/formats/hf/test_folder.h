// Builds .safetensors files and Hugging Face folders for tests, right ones and wrong ones.
//
// Promise: SafetensorsWriter::bytes() is a well-formed file of what was added, unless a test
//   overrode the length or an entry. TestModel has the tensors that its config calls for, with
//   values that follow from their names and places.
// Threads: tests only.
#pragma once

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mapped_file.h"
#include "formats/gguf/test_writer.h"
#include "formats/hf/safetensors.h"

namespace hangar::hf {

using gguf::TestFolder;

inline std::string length_bytes(std::uint64_t length) {
  std::string out(8, '\0');
  for (char& c : out) {
    c = static_cast<char>(length & 0xFF);
    length >>= 8U;
  }
  return out;
}

// A file of this header and these data.
inline std::string safetensors_of(std::string_view header, std::string_view data = "") {
  return length_bytes(header.size()) + std::string(header) + std::string(data);
}

class SafetensorsWriter {
 public:
  SafetensorsWriter& add(std::string_view name, std::string_view dtype,
                         const std::vector<std::int64_t>& shape, const std::string& bytes) {
    const std::size_t begin = data_.size();
    data_ += bytes;
    header_[name] = {{"dtype", dtype},
                     {"shape", boost::json::array(shape.begin(), shape.end())},
                     {"data_offsets", {begin, data_.size()}}};
    return *this;
  }
  SafetensorsWriter& add_f32(std::string_view name, const std::vector<std::int64_t>& shape,
                             const std::vector<float>& values) {
    std::string bytes(values.size() * sizeof(float), '\0');
    if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
    return add(name, "F32", shape, bytes);
  }
  SafetensorsWriter& metadata(std::string_view key, std::string_view value) {
    header_["__metadata__"].emplace_object()[key] = value;
    return *this;
  }
  boost::json::object& header() { return header_; }

  std::string bytes() const {
    std::string header = boost::json::serialize(header_);
    header.resize((header.size() + 7) / 8 * 8, ' ');
    return safetensors_of(header, data_);
  }

 private:
  boost::json::object header_;
  std::string data_;
};

inline void write_file(const std::filesystem::path& path, std::string_view content) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << content;
}

inline std::filesystem::path model_data(const std::string& name) {
  return std::filesystem::path(HANGAR_SOURCE_DIR) / "tests/data/models" / name;
}

struct TestTensor {
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

// A tiny llama: 2 layers, hidden 8, 2 heads of 4 with 1 for keys and values, inner 12, 16 tokens.
class TestModel {
 public:
  TestModel() {
    config = {{"model_type", "llama"},
              {"architectures", boost::json::array{"LlamaForCausalLM"}},
              {"hidden_size", 8},
              {"intermediate_size", 12},
              {"num_hidden_layers", 2},
              {"num_attention_heads", 2},
              {"num_key_value_heads", 1},
              {"vocab_size", 16},
              {"max_position_embeddings", 64},
              {"rms_norm_eps", 1e-5},
              {"rope_theta", 10000.0},
              {"tie_word_embeddings", false}};
    add("model.embed_tokens.weight", {16, 8});
    for (int i = 0; i < 2; ++i) {
      const std::string layer = "model.layers." + std::to_string(i) + ".";
      add(layer + "input_layernorm.weight", {8});
      add(layer + "self_attn.q_proj.weight", {8, 8});
      add(layer + "self_attn.k_proj.weight", {4, 8});
      add(layer + "self_attn.v_proj.weight", {4, 8});
      add(layer + "self_attn.o_proj.weight", {8, 8});
      add(layer + "post_attention_layernorm.weight", {8});
      add(layer + "mlp.gate_proj.weight", {12, 8});
      add(layer + "mlp.up_proj.weight", {12, 8});
      add(layer + "mlp.down_proj.weight", {8, 12});
    }
    add("model.norm.weight", {8});
    add("lm_head.weight", {16, 8});
  }

  boost::json::object config;
  std::map<std::string, TestTensor> tensors;

  void add(const std::string& name, const std::vector<std::int64_t>& shape) {
    std::size_t elements = 1;
    for (const std::int64_t d : shape) elements *= static_cast<std::size_t>(d);
    TestTensor tensor{shape, std::vector<float>(elements)};
    for (std::size_t i = 0; i < elements; ++i) {
      tensor.values[i] = 0.25F * static_cast<float>((i + name.size()) % 17) - 2.0F;
    }
    tensors[name] = std::move(tensor);
  }

  SafetensorsWriter writer() const {
    SafetensorsWriter out;
    out.metadata("format", "pt");
    for (const auto& [name, tensor] : tensors) out.add_f32(name, tensor.shape, tensor.values);
    return out;
  }

  void write_config(const TestFolder& folder) const {
    write_file(folder / "config.json", boost::json::serialize(config));
  }
  void write(const TestFolder& folder) const {
    write_config(folder);
    write_file(folder / "model.safetensors", writer().bytes());
  }
  // The tensors dealt out to `shards` files in turn, and their index.
  boost::json::object write_shards(const TestFolder& folder, std::size_t shards) const {
    write_config(folder);
    std::vector<SafetensorsWriter> files(shards);
    boost::json::object map;
    std::size_t turn = 0;
    for (const auto& [name, tensor] : tensors) {
      const std::size_t shard = turn++ % shards;
      files[shard].add_f32(name, tensor.shape, tensor.values);
      map[name] = shard_name(shard, shards);
    }
    for (std::size_t i = 0; i < shards; ++i) {
      write_file(folder / shard_name(i, shards), files[i].bytes());
    }
    boost::json::object index{{"metadata", {{"total_size", 1}}}, {"weight_map", map}};
    write_index(folder, index);
    return index;
  }
  static std::string shard_name(std::size_t i, std::size_t shards) {
    return fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards);
  }
  static void write_index(const TestFolder& folder, const boost::json::object& index) {
    write_file(folder / "model.safetensors.index.json", boost::json::serialize(index));
  }
};

}  // namespace hangar::hf
