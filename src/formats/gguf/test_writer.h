// TestWriter: builds GGUF files in memory for tests, right ones and wrong ones.
//
// Promise: bytes() is a well-formed file of what was added, unless a test overrode a count, a type
//   number or an offset. Tensors without an offset of their own are laid one after another,
//   aligned.
// Threads: tests only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "formats/gguf/value.h"

namespace hangar::gguf {

class TestWriter {
 public:
  std::string magic = "GGUF";
  std::uint32_t version = 3;
  std::uint64_t alignment = 32;
  std::optional<std::uint64_t> metadata_count;  // what the header says, where it is to lie
  std::optional<std::uint64_t> tensor_count;
  std::size_t drop_at_end = 0;  // bytes cut off

  // A number's or bool's type follows from T; strings are std::string or a literal.
  template <typename T>
  TestWriter& add(std::string_view key, const T& value) {
    start(key, type_of<T>());
    put_value(metadata_, value);
    return *this;
  }

  template <typename T>
  TestWriter& add_array(std::string_view key, const std::vector<T>& values) {
    start(key, ValueType::kArray);
    put_array(values);
    return *this;
  }

  // A key, a type number and whatever bytes come after.
  TestWriter& add_raw(std::string_view key, std::uint32_t type, const std::string& bytes) {
    put_string(metadata_, key);
    put_value(metadata_, type);
    metadata_ += bytes;
    ++metadata_entries_;
    return *this;
  }

  // Bytes that stand where a key, a type and a value should.
  TestWriter& add_garbage(const std::string& bytes) {
    metadata_ += bytes;
    ++metadata_entries_;
    return *this;
  }

  // `dimensions` innermost first, as the file has them; `offset` overrides the next free place.
  TestWriter& tensor(std::string_view name, std::uint32_t type,
                     const std::vector<std::uint64_t>& dimensions, std::size_t bytes,
                     std::optional<std::uint64_t> offset = std::nullopt) {
    return tensor_with(name, type, dimensions, std::string(bytes, '\x01'), offset);
  }

  TestWriter& tensor_with(std::string_view name, std::uint32_t type,
                          const std::vector<std::uint64_t>& dimensions, const std::string& data,
                          std::optional<std::uint64_t> offset = std::nullopt) {
    pad(data_, alignment);
    put_string(tensors_, name);
    put_value(tensors_, static_cast<std::uint32_t>(dimensions.size()));
    for (const std::uint64_t d : dimensions) put_value(tensors_, d);
    put_value(tensors_, type);
    put_value(tensors_, offset.value_or(data_.size()));
    data_ += data;
    ++tensor_entries_;
    return *this;
  }

  std::string text() const {
    std::string out = magic;
    put_value(out, version);
    put_value(out, tensor_count.value_or(tensor_entries_));
    put_value(out, metadata_count.value_or(metadata_entries_));
    out += metadata_ + tensors_;
    if (tensor_entries_ > 0) pad(out, alignment);
    out += data_;
    out.resize(out.size() - drop_at_end);
    return out;
  }

  std::vector<std::byte> bytes() const {
    const std::string all = text();
    std::vector<std::byte> out(all.size());
    std::memcpy(out.data(), all.data(), all.size());
    return out;
  }

  void write(const std::filesystem::path& path) const {
    const std::string all = text();
    std::ofstream(path, std::ios::binary)
        .write(all.data(), static_cast<std::streamsize>(all.size()));
  }

  static void put_string(std::string& out, std::string_view value) {
    put_value(out, std::uint64_t{value.size()});
    out += value;
  }

  template <typename T>
  static void put_value(std::string& out, const T& value) {
    if constexpr (std::is_convertible_v<T, std::string_view>) {
      put_string(out, value);
    } else {
      char raw[sizeof(T)];
      std::memcpy(raw, &value, sizeof(T));
      out.append(raw, sizeof(T));
    }
  }

 private:
  template <typename T>
  static ValueType type_of() {
    if constexpr (std::is_same_v<T, bool>) return ValueType::kBool;
    if constexpr (std::is_same_v<T, std::uint8_t>) return ValueType::kUint8;
    if constexpr (std::is_same_v<T, std::int8_t>) return ValueType::kInt8;
    if constexpr (std::is_same_v<T, std::uint16_t>) return ValueType::kUint16;
    if constexpr (std::is_same_v<T, std::int16_t>) return ValueType::kInt16;
    if constexpr (std::is_same_v<T, std::uint32_t>) return ValueType::kUint32;
    if constexpr (std::is_same_v<T, std::int32_t>) return ValueType::kInt32;
    if constexpr (std::is_same_v<T, std::uint64_t>) return ValueType::kUint64;
    if constexpr (std::is_same_v<T, std::int64_t>) return ValueType::kInt64;
    if constexpr (std::is_same_v<T, float>) return ValueType::kFloat32;
    if constexpr (std::is_same_v<T, double>) return ValueType::kFloat64;
    return ValueType::kString;
  }

  void start(std::string_view key, ValueType type) {
    put_string(metadata_, key);
    put_value(metadata_, static_cast<std::uint32_t>(type));
    ++metadata_entries_;
  }

  template <typename T>
  void put_array(const std::vector<T>& values) {
    put_value(metadata_, static_cast<std::uint32_t>(type_of<T>()));
    put_value(metadata_, std::uint64_t{values.size()});
    for (auto&& value : values) put_value<T>(metadata_, value);
  }

  template <typename T>
  void put_array(const std::vector<std::vector<T>>& values) {
    put_value(metadata_, static_cast<std::uint32_t>(ValueType::kArray));
    put_value(metadata_, std::uint64_t{values.size()});
    for (const std::vector<T>& inner : values) put_array(inner);
  }

  static void pad(std::string& out, std::uint64_t alignment) {
    while (out.size() % alignment != 0) out += '\0';
  }

  std::string metadata_;
  std::string tensors_;
  std::string data_;
  std::uint64_t metadata_entries_ = 0;
  std::uint64_t tensor_entries_ = 0;
};

// The metadata of a small, right llama: vocabulary 29, hidden 64, 4 heads of 16, 2 KV heads. Keys
// in `except` are left out, for tests that add their own.
inline TestWriter small_llama_metadata(const std::vector<std::string>& except = {}) {
  TestWriter file;
  const auto add = [&](const std::string& key, const auto& value) {
    for (const std::string& left_out : except) {
      if (left_out == key) return;
    }
    file.add(key, value);
  };
  add("general.architecture", std::string("llama"));
  add("llama.block_count", std::uint32_t{1});
  add("llama.context_length", std::uint32_t{128});
  add("llama.embedding_length", std::uint32_t{64});
  add("llama.feed_forward_length", std::uint32_t{96});
  add("llama.attention.head_count", std::uint32_t{4});
  add("llama.attention.head_count_kv", std::uint32_t{2});
  add("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  return file;
}

// A folder of its own for each test's files, removed with it.
class TestFolder {
 public:
  TestFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "hangar-gguf-XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  ~TestFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace hangar::gguf
